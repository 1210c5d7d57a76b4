#!/usr/bin/env bash
# Shows a cluster at work: `make run`. Three members on loopback lose their leader by SIGKILL, go on
# without it and take it back. Every command is printed, then run; then the cluster stays up until
# Ctrl-C. Any step that does not do what it says ends the show with a code that is not 0.
#
#   ONCE=1          stop after the show
#   BASE_PORT=2379  where the ports begin: clients use BASE_PORT, +10 and +20, peers the ports above
#   QUORATE=<path>  show this program instead of building one
#   SERVER=etcd     show another store, with the client of this one
set -euo pipefail
cd "$(dirname "$0")/../.."

BASE_PORT=${BASE_PORT:-2379}
BUILT=${CARGO_TARGET_DIR:-target}/release/quorate
QUORATE=${QUORATE:-$BUILT}
SERVER=${SERVER:-$QUORATE}
CTL=("$QUORATE" ctl)
DIR=data
MEMBERS=3
OWNER=$DIR/.quorate-show # says that the directory is ours, and which process uses it
# A variable meant for another client must not reach ours.
for name in ${!ETCDCTL_*} ${!ETCD_*}; do unset "$name"; done

source node/scripts/cluster.sh

step() { printf '\n--- %s\n' "$*"; }

# Prints a command as one would type it.
show() {
  local line='$'
  for word in "$@"; do
    [[ $word =~ ^[[:alnum:]_.,:/=@-]+$ ]] && line+=" $word" || line+=" '$word'"
  done
  say "$line"
}

# Prints a command, runs it and prints what it says.
run() {
  show "$@"
  work "$@"
}

# The same, and the output must be this.
expect() {
  local wanted=$1 seen
  shift
  show "$@"
  seen=$("$@")
  say "$seen"
  [[ $seen == "$wanted" ]] || fail "expected: $wanted"
}

start() {
  start_member "$1"
  say "$(show "${COMMAND[@]}") &"
}

claim_directory() {
  if [[ -e $DIR && ! -e $OWNER ]]; then
    [[ -d $DIR && -z $(ls -A "$DIR") ]] || fail "./$DIR is not from a show: move it out of the way"
  fi
  local user
  user=$(cat "$OWNER" 2>/dev/null || true)
  if [[ -n $user ]] && grep -qsa show.sh "/proc/$user/cmdline"; then
    fail "./$DIR is in use by another show, process $user"
  fi
  rm -rf "$DIR"
  mkdir -p "$DIR"
  echo $$ >"$OWNER"
}

answering() { "${CTL[@]}" --endpoints "$1" --command-timeout 1s get greeting; }

# Whether every member has told its name.
published() { ! "${CTL[@]}" --endpoints "$ALL" member list | grep -q unstarted; }

# Whether all members have applied the same entries.
level() {
  local indexes
  indexes=$("${CTL[@]}" --endpoints "$ALL" endpoint status | awk -F', ' '{print $13}')
  [[ $(wc -l <<<"$indexes") == "$MEMBERS" && $(sort -u <<<"$indexes" | wc -l) == 1 ]]
}

check_ports
if [[ $QUORATE == "$BUILT" ]]; then
  step "Build"
  run cargo build --release --quiet -p quorate-node
fi
[[ -x $QUORATE ]] || fail "there is no program $QUORATE"
claim_directory
ALL=$(clients 1 2 3)

step "Start three members; data and logs are in ./$DIR"
for n in 1 2 3; do start "$n"; done
await healthy 1 2 3
await published
run "${CTL[@]}" --endpoints "$ALL" member list

step "Write through one member, read through another"
expect OK "${CTL[@]}" --endpoints "$(client 1)" put greeting hello
expect $'greeting\nhello' "${CTL[@]}" --endpoints "$(client 2)" get greeting

step "Who leads? (endpoint, id, version, ..., is leader 9th, raft index 12th, applied 13th)"
run "${CTL[@]}" --endpoints "$ALL" endpoint status
FIRST=$(leader 1 2 3)
[[ -n $FIRST ]] || fail "no member leads"
LEFT=$(clients $(for n in 1 2 3; do [[ $n == "$FIRST" ]] || echo "$n"; done))
say "It is m$FIRST."

step "Kill it, without warning"
GONE=${PID[$FIRST]}
unset "PID[$FIRST]"
run kill -KILL "$GONE"
wait "$GONE" 2>/dev/null || true
BEGIN=$(date +%s%N)
await answering "$LEFT"
say "The others answer again after $((($(date +%s%N) - BEGIN) / 1000000)) ms."

step "Two of three are a quorum: nothing is lost, and writing goes on"
expect $'greeting\nhello' "${CTL[@]}" --endpoints "$LEFT" get greeting
expect OK "${CTL[@]}" --endpoints "$LEFT" put greeting "still here"
expect $'greeting\nstill here' "${CTL[@]}" --endpoints "$LEFT" get greeting
run "${CTL[@]}" --endpoints "$LEFT" endpoint status

step "Let m$FIRST come back: it has to catch up"
start "$FIRST"
await healthy "$FIRST"
await level
run "${CTL[@]}" --endpoints "$ALL" endpoint status
say "All three have applied the same entries. What m$FIRST itself holds, without asking the others:"
expect $'greeting\nstill here' "${CTL[@]}" --endpoints "$(client "$FIRST")" get greeting --consistency=s

if [[ -n ${ONCE:-} ]]; then
  stop_all
  step "Done: everything is stopped"
  exit 0
fi
step "The cluster stays up until Ctrl-C. Talk to it:"
cat <<END
  ${CTL[*]} --endpoints $ALL put key value
  ${CTL[*]} --endpoints $ALL get key
  ETCDCTL_API=3 etcdctl --endpoints $ALL endpoint status -w table
END
trap 'stop_all; say "Everything is stopped."; exit 0' INT
wait -n "${PID[@]}" || true
fail "a member ended by itself; the logs are in $DIR"
