#!/bin/sh
# http.host and not network.host: the transport stays on loopback, so the checks for production (max_map_count, ...) are off.
# The runner adds the node's number to the port.
set -eu
mkdir -p /data/node_1/config
echo 'http.host: 0.0.0.0' >/data/node_1/config/opensearch.yml
java=$(ls -d /usr/lib/jvm/java-17-openjdk-*/bin/java)
exec "$java" -Xms"${HEAP:-512m}" -Xmx"${HEAP:-512m}" -cp '/opensearch/lib/*' org.codelibs.opensearch.runner.OpenSearchRunner \
  -basePath /data -numOfNode 1 -baseHttpPort 9199 "$@"
