# Takes a file that rbdtui wrote back to what it was before. Arguments: PATH BACKUPS (a directory with one of our
# backup directories per run). Prints "restored", "removed" (there was none before) or "absent". Exit: 0.
# shellcheck shell=sh
set -eu
path=$1 backups=$2
# The file that was there first was also written first, and copies keep their times.
# shellcheck disable=SC2012
original=$(ls -tr -- "$backups"/*"$path" 2>/dev/null | head -n 1)
if [ -n "$original" ] && ! head -n 3 -- "$original" | grep -q "^# Written by rbdtui "; then
	cp -p -- "$original" "$path.rbdtui"
	mv -f -- "$path.rbdtui" "$path"
	echo restored
elif [ -e "$path" ]; then
	rm -f -- "$path"
	echo removed
else
	echo absent
fi
