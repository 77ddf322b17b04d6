# Says how HAProxy on this host sees what stands behind it, by its page of figures; changes nothing.
# Arguments: PORT of that page on loopback.
# Output: a line "server PROXY NAME STATUS CHECK" for each server behind it, in HAProxy's own words; STATUS is "UP", "DOWN",
# "UP 1/2" … with "_" for its space, CHECK the result of the last check or "-".
# Exit codes: 0; 3 nobody answers there.
set -eu
page=$(timeout 4 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET /stats;csv HTTP/1.0\r\n\r\n" >&3 && cat <&3' "$1" 2>/dev/null) || exit 3
printf '%s\n' "$page" | tr -d '\r' | awk -F, '
	/^# pxname,/ {
		sub(/^# /, "")
		for (place = 1; place <= NF; place++) column[$place] = place
		next
	}
	column["status"] && NF > 17 && $2 != "FRONTEND" && $2 != "BACKEND" && $1 != "status" {
		status = $column["status"]
		gsub(/ /, "_", status)
		check = $column["check_status"]
		gsub(/[* ]/, "", check)
		print "server", $1, $2, status, (check == "" ? "-" : check)
	}'
