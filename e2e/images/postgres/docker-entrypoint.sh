#!/bin/bash
# Makes the database on the first start, then becomes the server.
set -euo pipefail

if [ "${1:-postgres}" = postgres ]; then shift || true; set -- postgres "$@"; fi
case $1 in -*) set -- postgres "$@" ;; esac
[ "$1" = postgres ] || exec "$@"

mkdir -p "$PGDATA"
if [ "$(id -u)" = 0 ]; then
  chown -R 999:999 "$PGDATA" /var/run/postgresql
  exec setpriv --reuid=999 --regid=999 --clear-groups -- "$0" "$@"
fi
chmod 0700 "$PGDATA" 2>/dev/null || true

# PostgreSQL wants to know its user's name, whatever the uid is.
if ! getent passwd "$(id -u)" >/dev/null; then
  dir=$(mktemp -d)
  printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$(id -u)" "$(id -g)" "$PGDATA" >"$dir/passwd"
  printf 'postgres:x:%s:\n' "$(id -g)" >"$dir/group"
  export LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD="$dir/passwd" NSS_WRAPPER_GROUP="$dir/group"
fi

sockets=/var/run/postgresql
[ -w "$sockets" ] || sockets=/tmp
user=${POSTGRES_USER:-postgres}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?the superuser needs a password}"
  initdb -D "$PGDATA" -U "$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") -A scram-sha-256 -E UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-}
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  if [ "${POSTGRES_DB:-$user}" != postgres ]; then
    export PGPASSWORD=$POSTGRES_PASSWORD
    pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses= -c unix_socket_directories=$sockets"
    createdb -h "$sockets" -U "$user" "${POSTGRES_DB:-$user}"
    pg_ctl -D "$PGDATA" -w -m fast stop
    unset PGPASSWORD
  fi
fi
exec "$@" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="$sockets"
