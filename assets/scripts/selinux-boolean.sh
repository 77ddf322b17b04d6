# Says how a boolean of SELinux is set, or sets it for good and notes that, so that it can be taken back.
# Arguments: ACTION NAME; ACTION is "state" or "on".
# Output of state: "on", "off", or "absent" where there is no SELinux or no such boolean.
# Exit codes: 0 done; 3 it was refused, in SELinux's words on standard error; 64 unknown action.
set -eu
action=$1 name=$2
case $action in
state)
	said=$(getsebool "$name" 2>/dev/null || true)
	case $said in *"--> on") echo on ;; *"--> off") echo off ;; *) echo absent ;; esac
	;;
on)
	mkdir -p /var/lib/rbdtui/booleans
	: >"/var/lib/rbdtui/booleans/$name"
	setsebool -P "$name" on || exit 3
	;;
*) exit 64 ;;
esac
