# In a pod with two volumes, /old and /new, by the shell and the programs of alpine's busybox alone: $1 says what to do.
# Where /old is on another node, a pod there does "serve", and FROM is its address.
#   measure  how much /old and /new hold and how much room /new has, in KiB, how many entries and what file system /new is
#   live     make /new the same as /old while others write there: what changes meanwhile is passed over
#   copy     make /new the same as /old, by what the directories say of each file: size, time, owner, mode, links
#   compare  the same question with the sum of every file, and nothing is changed
#   repair   copy what compare finds
#   clear    throw away all that /new holds
#   serve    answer for /old whatever pod asks, without an end: no more open than the NFS server whose directory it is
#   answer   one such answer, to the question that comes in
# It prints one "word value" a line, the last of them "done"; without that it has failed, and said why before. While it
# works it prints "at" and "summed" now and then.
# Sockets are left out, as tar leaves them out; so is lost+found, which belongs to the file system.
set -u
LC_ALL=C; export LC_ALL
work=${WORK:-/tmp}
old=${OLD:-/old}
new=${NEW:-/new}
port=${PORT:-4410}

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
    ( cd "$old" && each -name '*
*' -print ) | head -n 1
}

look() { # of each name that comes in on a line, what /old has there: d, lUID:GID, - for nothing, f for all else
    while IFS= read -r name; do
        if [ -L "$old/$name" ]; then
            echo "l$(stat -c %u:%g "$old/$name") $name"
        elif [ -d "$old/$name" ]; then
            echo "d $name"
        elif [ -e "$old/$name" ]; then
            echo "f $name"
        else
            echo "- $name"
        fi
    done
}

linked() { # names that are one and the same file: tar sees that only within one of its archives
    ( cd "$old" && each -type f -links +1 -exec stat -c '%d:%i %n' {} + )
}

answer() { # what /old says to a word; some words are about names that come in, one a line
    case $1 in
    odd) odd ;;
    facts) ( facts "$old" ) ;;
    sums) ( facts "$old" ) && ( sums "$old" ) ;;
    used) du -sk "$old" | cut -f1 ;;
    look) look ;;
    linked) linked ;;
    tar)
        ( cd "$old" && tr '\n' '\0' | xargs -0 tar --no-recursion --numeric-owner -cf - )
        return
        ;;
    *) return 1 ;;
    esac && echo "end of $1"
}

ask() { # the same, about the names in file $2, by whoever has /old
    if [ -z "${FROM:-}" ]; then
        answer "$1" <"$2"
        return
    fi
    { echo "$1 $(wc -c <"$2")"; cat "$2"; } >"$work/question"
    nc "$FROM" "$port" <"$work/question"
}

list() { # an answer of lines; whether it came to its end
    left=50
    until ask "$1" "${2:-/dev/null}" >"$work/answer"; do
        left=$((left - 1))
        # Between two questions nobody listens for a moment.
        [ -n "${FROM:-}" ] && [ "$left" -gt 0 ] || break
        sleep 0.2
    done
    sed "/^end of $1\$/d" "$work/answer"
    [ "$(tail -n 1 "$work/answer")" = "end of $1" ]
}

differ() { # names of what differs, into a file; with sums when told so
    failed=
    list "$1" >"$work/old" || failed=yes
    ( facts "$new" ) >"$work/new" || failed=yes
    [ "$1" != sums ] || ( sums "$new" ) >>"$work/new" || failed=yes
    sort "$work/old" "$work/new" | uniq -u | cut -d' ' -f2- | sort -u >"$work/different"
    [ -z "$failed" ]
}

clear_way() { # what is there no more, or has to be made anew
    while IFS= read -r line; do
        kind=${line%% *} name=${line#* }
        if [ "$kind" = d ] && [ -d "$new/$name" ] && [ ! -L "$new/$name" ]; then continue; fi
        rm -rf "${new:?}/$name" || return 1
    done <"$work/there"
}

own_links() { # alpine's tar leaves symbolic links to whoever unpacks them
    while IFS= read -r line; do
        case $line in l*)
            owner=${line%% *} name=${line#* }
            chown -h "${owner#l}" "$new/$name" || return 1
            ;;
        esac
    done <"$work/there"
}

link() { # files of several names
    list linked | sort >"$work/linked"
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

unpack() { # the names of a file
    left=50
    while :; do
        rm -f "$work/failed"
        { ask tar "$1" || echo "$?" >"$work/failed"; } | tar --numeric-owner -xpf - -C "$new" &&
            [ ! -e "$work/failed" ] && return
        left=$((left - 1))
        [ -n "${FROM:-}" ] && [ "$left" -gt 0 ] || return 1
        sleep 0.2
    done
}

bring() { # what differs
    list look "$work/different" >"$work/there" || return 1
    clear_way || return 1
    rm -f "$work"/some.*
    # No more names at once than xargs takes for one archive.
    grep -v '^- ' "$work/there" | cut -d' ' -f2- | awk -v file="$work/some." '
        { size += length($0) + 1 }
        NR == 1 || size > 16000 { if (number) close(file number); number++; size = length($0) + 1 }
        { print >(file number) }'
    for each in "$work"/some.*; do
        [ -e "$each" ] || break
        unpack "$each" || return 1
    done
    own_links && link && sync
}

tell() { # now and then, for whoever waits: KiB in use on the new file system, files summed
    while sleep "${EVERY_S:-30}" >/dev/null 2>&1; do
        echo "at $(df -kP "$new" | awk 'NR == 2 { print $3 }')"
        if [ -e "$work/sums" ]; then echo "summed $(wc -l <"$work/sums")"; fi
    done
}

rm -f "$work/sums"
case $1 in
serve)
    # An answer needs this text once more.
    printf '%s\n' "$SELF" >"$work/self"
    while :; do nc -l -p "$port" -e sh "$work/self" answer || sleep 1; done
    ;;
answer)
    read -r word size
    head -c "$size" | answer "$word"
    exit
    ;;
clear)
    find "$new" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} + || exit 1
    echo "done $1"
    exit 0
    ;;
esac
name=$(list odd) || exit 1
if [ -n "$name" ]; then
    echo "name $name"
    exit 0
fi
tell &
teller=$!
trap 'kill "$teller" 2>/dev/null' EXIT
case $1 in
measure)
    echo "used_kib $(list used)"
    echo "copied_kib $(du -sk "$new" | cut -f1)"
    echo "entries $(find "$new" -mindepth 1 -maxdepth 1 ! -name lost+found | wc -l)"
    df -kP "$new" | awk 'NR == 2 { print "free_kib " $4; print "size_kib " $2; print "device " $1 }'
    awk -v new="$new" '$2 == new { kind = $3 } END { print "kind " kind }' /proc/mounts
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
