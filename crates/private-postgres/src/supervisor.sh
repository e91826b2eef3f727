# Runs one private Postgres, from initdb to the removal of its folder.
#
#   sh supervisor.sh PARENT_FOLDER SETTINGS
#
# The first line of stdin is the superuser's password. Each later line is a command: `start PORT` or `kill`. The script
# answers each line with one line: `ok …`, `error …` or `absent` (the machine has no Postgres programs). At the end of
# stdin, the script stops Postgres and removes the folder. Stdin ends when the process that started the script closes
# the pipe, or when that process ends for any reason (Ctrl-C, a panic, kill -9). The script ignores signals, so that it
# can always remove the folder.
set -u
umask 077
trap '' HUP INT TERM

parent=$1
settings=$2

# Debian and Ubuntu install the server's programs outside of PATH, in one folder for each major version.
for programs in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
    PATH=$PATH:$programs
done
if ! command -v initdb >/dev/null || ! command -v pg_ctl >/dev/null; then
    echo absent
    exit 1
fi

if ! folder=$(mktemp -d "$parent/fineract-gateway-postgres.XXXXXX" 2>&1); then
    echo "error $folder"
    exit 1
fi
trap 'rm -rf "$folder"' EXIT
log=$folder/log

answer() { # answer STATUS [WORDS]
    if [ "$1" -eq 0 ]; then
        echo "ok ${2:-}"
    else
        echo "error $(tail -n 4 "$log" | tr '\n' ' ')"
    fi
}

# Stops Postgres without a checkpoint. No checkpoint is needed: either the folder is removed anyway, or the caller wants
# to test the recovery after a crash.
stop() {
    pg_ctl stop --pgdata="$folder/data" --mode=immediate >>"$log" 2>&1
}

read -r password
echo "$password" >"$folder/password"
initdb --pgdata="$folder/data" --username=gateway --pwfile="$folder/password" --auth=password \
    --encoding=UTF8 --no-locale --no-sync >>"$log" 2>&1
answer $? "$folder"

while read -r command port; do
    case $command in
    start)
        pg_ctl start --pgdata="$folder/data" --log="$log" \
            --options="$settings -c port=$port" >>"$log" 2>&1
        ;;
    kill) stop ;;
    esac
    answer $?
done

if [ -e "$folder/data/postmaster.pid" ]; then
    stop
fi
