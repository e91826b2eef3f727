# The life of one private Postgres, from initdb to the removal of its folder.
#
#   sh embedded_postgres.sh PARENT_FOLDER SETTINGS
#
# The first line on stdin is the superuser's password; each later one is a command: `start PORT` or
# `kill`. Each gets one line back: `ok …`, `error …` or `absent`. The end of stdin means that the
# process which holds its other end has stopped us or is gone, however it went (Ctrl-C, a panic,
# kill -9): then Postgres is stopped and the folder removed. Signals are therefore ignored.
set -u
umask 077
trap '' HUP INT TERM

parent=$1
settings=$2

# Debian and Ubuntu keep the server's programs out of PATH, one folder for each major version.
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

# Stopped without a checkpoint: the folder is removed, or recovery after a crash is what is wanted.
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
