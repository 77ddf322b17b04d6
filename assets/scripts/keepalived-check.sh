# Says what keepalived itself thinks of a check that it runs; the check is not run by us. Changes nothing.
# Arguments: NAME of the vrrp_script.
# Output: "passes", "fails", or "silent" when keepalived has said nothing of it since it was started; its last log lines
# on standard error.
# Exit codes: 0.
# keepalived says a word on the first success, on each change, and on each reload (1.3.5 to 2.3, vrrp_scheduler.c and
# clear_diff_script in vrrp.c). keepalived 1.3 is silent of a check that has never passed.
set -eu
name=$1 unit=keepalived.service
said=$(journalctl --no-pager --quiet --output=cat --boot --unit=$unit |
	grep -F -e 'Starting VRRP child process' -e "VRRP_Script($name) " | tail -n 1)
case $said in
*") succeeded"* | *") considered successful"*) echo passes ;;
*"VRRP_Script("*) echo fails ;;
*) echo silent ;;
esac
journalctl --no-pager --quiet --output=cat --boot --lines=15 --unit=$unit >&2 || true
