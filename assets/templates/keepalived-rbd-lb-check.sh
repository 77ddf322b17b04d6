#!/bin/sh
$header
# Does rbd-lb answer on this server? Whatever it answers will do: its API knows no question for the health.
exec curl -s -o /dev/null -m 2 http://127.0.0.1:$port/
