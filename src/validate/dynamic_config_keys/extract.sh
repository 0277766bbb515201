#!/bin/sh
# Writes the dynamic config keys of each server that is tested here, from its sources in Go's module cache. The server
# registers each key by a call such as NewNamespaceIntSetting("key", …).
set -eu
cd "$(dirname "$0")"
for version in ${*:-1.30.8 1.31.2 1.32.0}; do
  source=$(go mod download -json "go.temporal.io/server@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  grep -rhPzo --include='*.go' --exclude='*_test.go' \
    '\bNew(Global|Namespace|NamespaceID|TaskQueue|ShardID|TaskType|Destination|ChasmTaskType)\w*Setting\w*(\[[^\]]*\])?\(\s*"\K[^"]+' \
    "$source" | tr '\0' '\n' | LC_ALL=C sort -u > "${version%.*}.txt"
done
