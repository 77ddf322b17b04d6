#!/bin/bash
$header
# keepalived asks: does HAProxy on this host answer? Three times no, and the address moves to the other balancer. What
# stands behind HAProxy is HAProxy's to judge: it would be no better off anywhere else.
exec timeout 4 bash -c 'exec 3<>/dev/tcp/127.0.0.1/$status_port && printf "GET /alive HTTP/1.0\r\n\r\n" >&3 && read -r line <&3 && [[ $$line == HTTP/1.*\ 200* ]]' 2>/dev/null
