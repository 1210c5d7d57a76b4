# A cluster on loopback, for the scripts beside this file. To be sourced, not run.
#
#   SERVER     the server's program, with etcd's flags      CTL        the client, an array
#   EXTRA      more flags for the server, an array
#   BASE_PORT  client port of member 1; its peers use the   DIR        data and logs
#              port above, the next member both plus ten    MEMBERS    how many there are
#
# Whoever sources it gets `trap`s: whatever way the script ends, no member outlives it.

declare -A PID=() # of each running member, by its number
EXTRA=()
WORKER=           # a command in the foreground, as far as this script is concerned

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

client() { echo "127.0.0.1:$((BASE_PORT + 10 * ($1 - 1)))"; }
peer() { echo "127.0.0.1:$((BASE_PORT + 10 * ($1 - 1) + 1))"; }

# The client addresses of these members, by comma.
clients() {
  local list=
  for n in "$@"; do list+=",$(client "$n")"; done
  echo "${list#,}"
}

# COMMAND = what starts member $1.
member_command() {
  local cluster=
  for n in $(seq "$MEMBERS"); do cluster+=",m$n=http://$(peer "$n")"; done
  COMMAND=("$SERVER" --name "m$1" --data-dir "$DIR/m$1"
    --listen-client-urls "http://$(client "$1")" --advertise-client-urls "http://$(client "$1")"
    --listen-peer-urls "http://$(peer "$1")" --initial-advertise-peer-urls "http://$(peer "$1")"
    --initial-cluster "${cluster#,}" --initial-cluster-state new ${EXTRA[@]+"${EXTRA[@]}"})
}

# Refuses to start beside a stranger: whoever has a port would be taken for a member of ours.
check_ports() {
  [[ $BASE_PORT =~ ^[1-9][0-9]{0,4}$ ]] && ((BASE_PORT + 10 * MEMBERS < 65536)) ||
    fail "BASE_PORT=$BASE_PORT is no port with $((10 * MEMBERS)) ports above it"
  for n in $(seq "$MEMBERS"); do
    for address in "$(client "$n")" "$(peer "$n")"; do
      if (exec 3<>"/dev/tcp/${address/://}") 2>/dev/null; then
        fail "port ${address#*:} is taken: stop what listens there, or give BASE_PORT=<another>"
      fi
    done
  done
}

start_member() {
  member_command "$1"
  "${COMMAND[@]}" >>"$DIR/m$1.log" 2>&1 &
  PID[$1]=$!
}

# The processes of all members, by comma.
pids() {
  local IFS=,
  echo "${PID[*]}"
}

# Waits until condition "$@" holds, at most 30 s, while every member lives.
await() {
  local end=$((SECONDS + 30))
  until "$@" >/dev/null 2>&1; do
    for n in "${!PID[@]}"; do
      kill -0 "${PID[$n]}" 2>/dev/null || { tail -n 5 "$DIR/m$n.log" >&2; fail "member m$n ended"; }
    done
    ((SECONDS < end)) || fail "gave up after 30 s: $*; the logs are in $DIR"
    pause 0.1
  done
}

# Whether each of these members can read through a quorum.
healthy() {
  for n in "$@"; do
    "${CTL[@]}" --endpoints "$(client "$n")" --command-timeout 1s get health || return 1
  done
}

start_cluster() {
  mkdir -p "$DIR"
  for n in $(seq "$MEMBERS"); do start_member "$n"; done
  await healthy $(seq "$MEMBERS")
}

# The number of the member that leads, as the members in "$@" see it.
leader() {
  local address
  address=$("${CTL[@]}" --endpoints "$(clients "$@")" endpoint status | awk -F', ' '$9 == "true" {print $1}')
  for n in "$@"; do [[ $(client "$n") != "$address" ]] || echo "$n"; done
}

stop_process() {
  kill -TERM "$1" 2>/dev/null || true
  for _ in $(seq 100); do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# As if the power went, as far as the process is concerned.
kill_member() {
  kill -KILL "${PID[$1]}" 2>/dev/null || true
  wait "${PID[$1]}" 2>/dev/null || true
  unset "PID[$1]"
}

stop_cluster() {
  for n in "${!PID[@]}"; do kill -TERM "${PID[$n]}" 2>/dev/null || true; done
  for n in "${!PID[@]}"; do stop_process "${PID[$n]}"; done
  PID=()
}

# Runs a command so that a signal to this script does not have to wait for its end.
work() {
  "$@" &
  WORKER=$!
  local code=0
  wait "$WORKER" || code=$?
  WORKER=
  return "$code"
}

pause() { work sleep "$1"; }

stop_all() {
  trap '' INT TERM HUP
  [[ -z $WORKER ]] || stop_process "$WORKER"
  stop_cluster
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
