# Which of some files and directories are immutable, or take nothing but appended lines. Arguments: PATH...
# Output: one such path a line. Exit codes: 0, also where the file system knows no attributes.
# shellcheck shell=sh
set -eu
command -v lsattr >/dev/null || exit 0
for path; do
	[ -e "$path" ] || continue
	line=$(lsattr -d -- "$path" 2>/dev/null) || continue
	case ${line%% *} in
	*[ai]*) printf '%s\n' "$path" ;;
	esac
done
