#!/usr/bin/env bash
# Compares this store with Debian's etcd under the same loads: `make bench`. Both stand on the same
# machine, one at a time, in turns (A B A B), always on fresh data; medians are what counts.
#
#   QUICK=1             a slice of two minutes      ROUNDS=3      turns of each store
#   KEY_SIZE VAL_SIZE   20 and 256 bytes            BASE_PORT     25000
#   QUORATE=<path>      this program instead of a built one; it is also the load generator
#   SUBJECT=<path>      the server under test, if it is not $QUORATE (etcd: how fair is the script?)
#   ONLY=loads|watch|large|catch-up   some parts of it (several: ONLY="watch large")
#
# What is fair here:
# - Both run with their defaults, so both wait for the disk before they acknowledge.
# - Reads are measured after a restart. etcd 3.4 copies its buffer of recent writes for each read, which
#   makes a read after many puts cost three times as much; later versions of etcd do not.
# - With three members the clients are spread over all of them (one client: the leader), and CPU
#   is the sum over the three processes.
# - A watch counts events that reached a watcher: 1,000 of them on one key, four clients putting.
# - The load generator takes its CPU from the same machine, the same amount for both.
#
# The raw figures, one JSON line a run, go to ./bench-data; the tables are made of nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."

BUILT=${CARGO_TARGET_DIR:-target}/release/quorate
QUORATE=${QUORATE:-$BUILT}
SUBJECT=${SUBJECT:-$QUORATE}
BASE_PORT=${BASE_PORT:-25000}
KEY_SIZE=${KEY_SIZE:-20}
VAL_SIZE=${VAL_SIZE:-256}
ONLY=${ONLY:-loads watch large catch-up}
CTL=("$QUORATE" ctl)
if [[ -n ${QUICK:-} ]]; then
  ROUNDS=${ROUNDS:-1} CLIENTS=(1 64) KEYS=10000 SCALE=1 MILLION=100000 MANY=20000 WINDOW=2
else
  ROUNDS=${ROUNDS:-3} CLIENTS=(1 64 256) KEYS=20000 SCALE=2 MILLION=1000000 MANY=100000 WINDOW=5
fi
RESULTS=bench-data/$(date +%Y%m%d-%H%M%S).jsonl
DIR=bench-data/run.$$
MEMBERS=1 SERVER=
for name in ${!ETCDCTL_*} ${!ETCD_*}; do unset "$name"; done

source node/scripts/cluster.sh
trap 'stop_all; rm -rf "$DIR"' EXIT

install_etcd() {
  ! command -v etcd >/dev/null || return 0
  local sudo=()
  ((EUID == 0)) || sudo=(sudo)
  say "Installing etcd-server (apt-get)"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq etcd-server >/dev/null
}

load() { work "$QUORATE" bench "$@" --key-size "$KEY_SIZE" --pid "$(pids)" --json; }

# Appends a result: kind, store, members, then what the load generator says about the load "$@".
record() {
  local kind=$1 store=$2 members=$3
  shift 3
  load "$@" >"$DIR/result"
  printf '{"kind":"%s","store":"%s","members":%d,"run":%s}\n' \
    "$kind" "$store" "$members" "$(cat "$DIR/result")" >>"$RESULTS"
}

# All loads of one kind (put, range ...) with each number of clients.
measure() {
  local kind=$1 store=$2 members=$3
  shift 3
  local clients total conns endpoints
  for clients in "${CLIENTS[@]}"; do
    # Enough to see CPU time, which the kernel tells in hundredths of a second.
    if ((clients == 1)); then
      total=3000 conns=1 endpoints=$TARGET
    else
      total=30000 conns=9 endpoints=$ENDPOINTS
    fi
    [[ $store != echo ]] || total=$((4 * total))
    record "$kind" "$store" "$members" "$@" --endpoints "$endpoints" --key-space-size "$KEYS" \
      --clients "$clients" --conns "$conns" --total $((total * SCALE))
  done
}

# Starts MEMBERS members of this store. The others stay out of the way until it is stopped.
begin() {
  SERVER=$1
  rm -rf "$DIR"
  start_cluster
  ENDPOINTS=$(clients $(seq "$MEMBERS"))
  TARGET=$(client "$(leader $(seq "$MEMBERS"))")
}

restart() {
  stop_cluster
  start_cluster
  TARGET=$(client "$(leader $(seq "$MEMBERS"))")
}

fill() {
  load put --val-size "$VAL_SIZE" --endpoints "$ENDPOINTS" --clients 64 --conns 9 \
    --sequential-keys --key-space-size "$1" --total "$1" >/dev/null
}

# One turn of one store.
turn() {
  local store=$1 server=$2
  begin "$server"
  fill "$KEYS"
  restart
  measure load "$store" "$MEMBERS" range --consistency l
  measure load "$store" "$MEMBERS" range --consistency s
  measure load "$store" "$MEMBERS" put --val-size "$VAL_SIZE"
  measure load "$store" "$MEMBERS" txn --val-size "$VAL_SIZE"
  stop_cluster
}

# One turn of those who are told and those who stay.
listeners() {
  local store=$1 server=$2 spread=(--endpoints "$(clients $(seq "$MEMBERS"))" --conns 9)
  begin "$server"
  record load "$store" "$MEMBERS" watch "${spread[@]}" --clients 9 --val-size "$VAL_SIZE" \
    --key-space-size 1 --watchers 1000 --streams 100 --total $((500 * SCALE))
  record load "$store" "$MEMBERS" lease "${spread[@]}" --clients 64 --total $((20000 * SCALE))
  record load "$store" "$MEMBERS" lease "${spread[@]}" --clients 64 --total $((10000 * SCALE)) --grant
  stop_cluster
}

floor() {
  mkdir -p "$DIR"
  ENDPOINTS=$(client 1) TARGET=$ENDPOINTS
  "$QUORATE" bench echo-server --listen "$ENDPOINTS" --val-size "$VAL_SIZE" >"$DIR/m1.log" 2>&1 &
  PID[1]=$!
  await answers_at_all
  measure load echo 1 range
  measure load echo 1 put --val-size "$VAL_SIZE"
  stop_cluster
}

answers_at_all() { "${CTL[@]}" --endpoints "$ENDPOINTS" --command-timeout 1s get key; }

# Reads of everything, beside which others put; memory; a kill and a restart: with many keys.
large() {
  local store=$1 server=$2
  begin "$server"
  fill "$MANY"
  record load "$store" 1 range --everything --endpoints "$TARGET" --total 10 --title "range of $MANY"
  stop_cluster
  begin "$server"
  fill "$MILLION"
  # Memory is read a while after the last put, when what was only needed on the way is free again.
  pause 5
  record memory "$store" 1 range --endpoints "$TARGET" --key-space-size "$MILLION" --total 100
  beside "$store"
  kill_member 1
  local begin end
  begin=$(date +%s%N)
  start_member 1
  await healthy 1
  end=$(date +%s%N)
  printf '{"kind":"restart","store":"%s","members":1,"seconds":%s}\n' "$store" \
    "$(awk "BEGIN {print ($end - $begin) / 1e9}")" >>"$RESULTS"
  stop_cluster
}

# Puts while one client reads every key again and again.
beside() {
  "$QUORATE" bench range --everything --endpoints "$TARGET" --total 1000000 >/dev/null 2>&1 &
  local reader=$!
  pause 1
  record load "$1" 1 put --val-size "$VAL_SIZE" --endpoints "$TARGET" --key-space-size "$MILLION" \
    --clients 16 --conns 4 --rate 1000 --total 10000 --title "put beside range of $MILLION"
  kill "$reader" 2>/dev/null || true
  wait "$reader" 2>/dev/null || true
}

# Throughput of two members while the third, which was away, is sent all that it missed: as a share of
# what they do before, and of what all three do afterwards. The clients never rest.
catch_up() {
  local store=$1 last two before during after
  EXTRA=(--snapshot-count 2000)
  MEMBERS=3
  begin "$2"
  fill "$MANY"
  last=$(other_than "$(leader 1 2 3)")
  kill_member "$last"
  two=$(clients $(seq 3 | grep -v "$last"))
  local puts=("$QUORATE" bench put --key-size "$KEY_SIZE" --val-size "$VAL_SIZE" --endpoints "$two"
    --clients 64 --conns 8 --key-space-size "$MANY")
  # More entries than any of them keeps for a member that is away.
  work "${puts[@]}" --total 20000 >/dev/null
  "${puts[@]}" --total 1000000000 >/dev/null 2>&1 &
  local writer=$!
  pause 1
  before=$(rate pause "$WINDOW")
  start_member "$last"
  during=$(rate await healthy "$last")
  after=$(rate pause "$WINDOW")
  kill "$writer" 2>/dev/null || true
  wait "$writer" 2>/dev/null || true
  printf '{"kind":"catch-up","store":"%s","members":3,"share":%s,"share_of_three":%s,"seconds":%s}\n' \
    "$store" "$(over ${during% *} ${before% *})" "$(over ${during% *} ${after% *})" "${during#* }" \
    >>"$RESULTS"
  stop_cluster
  EXTRA=()
}

# Revisions per second while "$@" runs, and how long that took.
rate() {
  local begin end first last
  first=$(revision) begin=$(date +%s%N)
  "$@" >/dev/null
  last=$(revision) end=$(date +%s%N)
  awk "BEGIN {s = ($end - $begin) / 1e9; print ($last - $first) / s, s}"
}

revision() {
  "${CTL[@]}" --endpoints "$TARGET" get health -w json | sed 's/.*"revision":\([0-9]*\).*/\1/'
}

over() { awk "BEGIN {print $1 / $2}"; }

# A member that is not this one.
other_than() { echo $(($1 % 3 + 1)); }

if [[ $QUORATE == "$BUILT" ]]; then
  say "Building"
  work cargo build --release --quiet -p quorate-node
fi
[[ -x $QUORATE ]] || fail "there is no program $QUORATE"
install_etcd
MEMBERS=3
check_ports
mkdir -p bench-data
: >"$RESULTS"

progress() { printf '%4d s  %s\n' "$SECONDS" "$*" >&2; }
if [[ $ONLY == *loads* ]]; then
  for round in $(seq "$ROUNDS"); do
    progress "round $round of $ROUNDS: the echo"
    MEMBERS=1
    floor
    for MEMBERS in 1 3; do
      progress "round $round of $ROUNDS, $MEMBERS member(s): quorate"
      turn quorate "$SUBJECT"
      progress "round $round of $ROUNDS, $MEMBERS member(s): etcd"
      turn etcd etcd
    done
  done
fi
server() { if [[ $1 == etcd ]]; then echo etcd; else echo "$SUBJECT"; fi; }
if [[ $ONLY == *watch* ]]; then
  for round in $(seq "$ROUNDS"); do
    for MEMBERS in 1 3; do
      for store in quorate etcd; do
        progress "round $round of $ROUNDS, $MEMBERS member(s), watchers and leases: $store"
        listeners "$store" "$(server "$store")"
      done
    done
  done
fi
if [[ $ONLY == *large* ]]; then
  for store in quorate etcd; do
    MEMBERS=1
    progress "with $MANY and $MILLION keys: $store"
    large "$store" "$(server "$store")"
  done
fi
if [[ $ONLY == *catch-up* ]]; then
  for round in $(seq "$ROUNDS"); do
    for store in quorate etcd; do
      progress "round $round of $ROUNDS, catching up a member: $store"
      catch_up "$store" "$(server "$store")"
    done
  done
fi
progress "done; raw figures in $RESULTS"

say "quorate $(git rev-parse --short HEAD 2>/dev/null || echo unknown) against $(etcd --version | head -n 1)," \
  "$(nproc) cores, Linux $(uname -r), keys of $KEY_SIZE B, values of $VAL_SIZE B, medians of $ROUNDS."
say
"$QUORATE" bench compare "$RESULTS"
