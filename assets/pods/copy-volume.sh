# In a pod with two volumes, /old and /new, by the shell and the programs of alpine's busybox alone: $1 says what to do.
#   measure  how much /old and /new hold and how much room /new has, in KiB, and on what file system /new is
#   live     make /new the same as /old while others write there: what changes meanwhile is passed over
#   copy     make /new the same as /old, by what the directories say of each file: size, time, owner, mode, links
#   compare  the same question with the sum of every file, and nothing is changed
#   repair   copy what compare finds
# It prints one "word value" a line, the last of them "done"; without that it has failed, and said why before. While it
# works it prints "at" and "summed" now and then.
# Sockets are left out, as tar leaves them out; so is lost+found, which belongs to the file system.
set -u
LC_ALL=C; export LC_ALL
work=${WORK:-/tmp}
old=${OLD:-/old}
new=${NEW:-/new}

each() { find . -path ./lost+found -prune -o "$@"; }

facts() { # of all below $1, one a line: a word, a blank, the name
    # shellcheck disable=SC2016 # the inner shell expands it
    cd "$1" &&
        each -type f -exec stat -c 'f:%a:%u:%g:%h:%Y:%s %n' {} + &&
        each -type d -exec stat -c 'd:%a:%u:%g %n' {} + &&
        each ! -type f ! -type d ! -type l ! -type s -exec stat -c 'o:%f:%u:%g:%t:%T %n' {} + &&
        each -type l -exec sh -c 'for name do
            printf "l:%s:%s %s\n" "$(stat -c %u:%g "$name")" "$(readlink "$name" | sha256sum | cut -c1-64)" "$name"
        done' sh {} +
}

sums() { # the sum of every file below $1
    cd "$1" && each -type f -exec sha256sum {} + >"$work/sums" && sed 's/^\([0-9a-f]*\) [ *]/s:\1 /' "$work/sums"
}

odd() { # a name that does not fit on a line
    cd "$old" && each -name '*
*' -print | head -n 1
}

differ() { # names of what differs, into a file; with sums when told so
    failed=
    for side in old new; do
        eval "place=\$$side"
        # shellcheck disable=SC2154 # eval sets it
        ( facts "$place" ) >"$work/$side" || failed=yes
        [ "$1" != sums ] || ( sums "$place" ) >>"$work/$side" || failed=yes
    done
    sort "$work/old" "$work/new" | uniq -u | cut -d' ' -f2- | sort -u >"$work/different"
    [ -z "$failed" ]
}

is_directory() { [ -d "$1" ] && [ ! -L "$1" ]; }

clear_way() { # what is there no more, or has to be made anew
    while IFS= read -r name; do
        if is_directory "$old/$name" && is_directory "$new/$name"; then continue; fi
        rm -rf "${new:?}/$name" || return 1
    done <"$work/different"
}

own_links() { # alpine's tar leaves symbolic links to whoever unpacks them
    while IFS= read -r name; do
        if [ -L "$old/$name" ]; then
            chown -h "$(stat -c %u:%g "$old/$name")" "$new/$name" || return 1
        fi
    done <"$work/different"
}

linked() { # names that are one and the same file: tar sees that only within one of its archives
    ( cd "$old" && each -type f -links +1 -exec stat -c '%d:%i %n' {} + ) | sort >"$work/linked"
    last='' first=''
    while IFS= read -r line; do
        inode=${line%% *} name=${line#* }
        # shellcheck disable=SC3013 # alpine's shell has -ef
        if [ "$inode" != "$last" ]; then
            last=$inode first=$name
        elif ! [ "$new/$first" -ef "$new/$name" ]; then
            ln -f "$new/$first" "$new/$name" || return 1
        fi
    done <"$work/linked"
}

bring() { # what differs
    clear_way || return 1
    while IFS= read -r name; do
        if [ -e "$old/$name" ] || [ -L "$old/$name" ]; then printf '%s\0' "$name"; fi
    done <"$work/different" >"$work/wanted"
    if [ -s "$work/wanted" ]; then
        # shellcheck disable=SC2016 # the inner shell expands it
        ( cd "$old" && xargs -0 sh -c 'new=$1; shift
            { tar --no-recursion --numeric-owner -cf - "$@" || echo "$?" >"$0"; } | tar --numeric-owner -xpf - -C "$new"' "$work/failed" "$new" ) \
            <"$work/wanted" || return 1
        [ ! -e "$work/failed" ] || return 1
    fi
    own_links && linked && sync
}

tell() { # now and then, for whoever waits: KiB in use on the new file system, files summed
    while sleep "${EVERY_S:-30}" >/dev/null 2>&1; do
        echo "at $(df -kP "$new" | awk 'NR == 2 { print $3 }')"
        if [ -e "$work/sums" ]; then echo "summed $(wc -l <"$work/sums")"; fi
    done
}

rm -f "$work/failed" "$work/sums"
name=$(odd)
if [ -n "$name" ]; then
    echo "name $name"
    exit 0
fi
tell &
teller=$!
trap 'kill "$teller" 2>/dev/null' EXIT
case $1 in
measure)
    echo "used_kib $(du -sk "$old" | cut -f1)"
    echo "copied_kib $(du -sk "$new" | cut -f1)"
    df -kP "$new" | awk 'NR == 2 { print "free_kib " $4; print "device " $1 }'
    ;;
live) differ facts; bring || echo 'moving yes' ;;
copy) { differ facts && bring; } || exit 1 ;;
repair) { differ sums && bring; } || exit 1 ;;
compare)
    differ sums || exit 1
    head -n 20 "$work/different" | sed 's/^/different /'
    echo "differences $(wc -l <"$work/different")"
    echo "files $(grep -c '^f:' "$work/old")"
    ;;
esac
echo "done $1"
