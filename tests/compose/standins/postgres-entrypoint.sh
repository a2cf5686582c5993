#!/bin/bash
# What the official entry point does with the settings that are used here: initdb, the user, the database, the
# scripts of /docker-entrypoint-initdb.d on a server that listens on its socket alone, then the command.
set -eu
[ "${1#-}" = "$1" ] || set -- postgres "$@"
if [ "$1" = postgres ]; then
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA" 2>/dev/null || true
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "${POSTGRES_PASSWORD:-}" ] || { echo "POSTGRES_PASSWORD is empty" >&2; exit 1; }
    initdb --username="${POSTGRES_USER:-postgres}" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") -D "$PGDATA"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    export PGUSER="${POSTGRES_USER:-postgres}" PGPASSWORD="$POSTGRES_PASSWORD" PGDATABASE=postgres
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    if [ "${POSTGRES_DB:-$PGUSER}" != postgres ]; then
      psql -v ON_ERROR_STOP=1 --no-psqlrc -c "CREATE DATABASE \"${POSTGRES_DB:-$PGUSER}\""
    fi
    export PGDATABASE="${POSTGRES_DB:-$PGUSER}"
    for file in /docker-entrypoint-initdb.d/*; do
      case "$file" in
        *.sh) bash "$file" ;;
        *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -f "$file" ;;
        *) echo "ignoring $file" ;;
      esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGUSER PGPASSWORD PGDATABASE
  fi
fi
exec "$@"
