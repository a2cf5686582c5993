#!/bin/sh
# What the official /run.sh does with the settings that are used here.
set -e
for path in "$GF_PATHS_CONFIG" "$GF_PATHS_HOME"; do [ -r "$path" ] || echo "$path is not readable." >&2; done
[ -w "$GF_PATHS_DATA" ] || echo "$GF_PATHS_DATA is not writable." >&2
[ -d "$GF_PATHS_PLUGINS" ] || mkdir "$GF_PATHS_PLUGINS"
export HOME="$GF_PATHS_HOME"
exec grafana server --homepath="$GF_PATHS_HOME" --config="$GF_PATHS_CONFIG" --packaging=docker "$@" \
  cfg:default.log.mode=console cfg:default.paths.data="$GF_PATHS_DATA" cfg:default.paths.logs="$GF_PATHS_LOGS" \
  cfg:default.paths.plugins="$GF_PATHS_PLUGINS" cfg:default.paths.provisioning="$GF_PATHS_PROVISIONING"
