#!/bin/sh
# The configuration is a template that the server fills from the environment: TEMPORAL_ADDRESS, TEMPORAL_UI_PORT, ...
set -eu
exec ./ui-server --env docker start "$@"
