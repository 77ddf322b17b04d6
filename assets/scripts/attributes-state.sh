# Which of some files and directories are immutable, or take nothing but appended lines. Arguments: PATH...
# Output: one such path a line, behind the letters i, a or ia and a blank. Exit codes: 0, also where the file system knows no attributes.
# shellcheck shell=sh
set -eu
command -v lsattr >/dev/null || exit 0
for path; do
	[ -e "$path" ] || continue
	line=$(lsattr -d -- "$path" 2>/dev/null) || continue
	letters=
	case ${line%% *} in *i*) letters=i ;; esac
	case ${line%% *} in *a*) letters=${letters}a ;; esac
	[ -z "$letters" ] || printf '%s %s\n' "$letters" "$path"
done
