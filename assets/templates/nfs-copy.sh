#!/bin/sh
$header
# Copies the directory of an NFS server to another server: whole, whenever something in it changes, and every ten minutes.
#   push               on the source, as a service: watches, and copies to the other server
#   guard              on the copy, before each transfer: refuses whoever would overwrite what is no copy
#   become ROLE SITE   source or copy: what this server is from now on; by hand only, with the site's name as consent
set -eu
LC_ALL=C
export LC_ALL
path=$path
site=$site
copy=$address
mark=$$path/$mark
home=$home
run=/run/$push_unit
role() { sed -n 's/^role //p' "$$mark" 2>/dev/null || true; }
now() { date +%s; }
gives() {
	command -v exportfs >/dev/null && exportfs -s 2>/dev/null |
		awk -v path="$$path" '$$1 == path { found = 1 } END { exit !found }'
}

kept() { sed -n "s/^$$1 //p" "$$home/state" 2>/dev/null || true; }
keep() {
	printf '%s\n' "complete $$complete" "took $$took" "directories $$directories" "watching $$watching" \
		"failed $$failed" >"$$home/.state"
	mv "$$home/.state" "$$home/state"
}

watch() {
	rm -f "$$run/ended" "$$run/said"
	watching='no' again=$$(($$(now) + 300))
	{
		# Directories that are made later are watched by themselves.
		inotifywait -m -r -e modify,create,delete,attrib,move --format . "$$path" 2>"$$run/said" || true
		: >"$$run/ended"
	} | while read -r _; do : >"$$run/changed"; done &
}
look_at_watch() {
	if [ -e "$$run/ended" ]; then
		watching="no $$(grep -v '^Setting up' "$$run/said" | tr '\n\t' '  ')"
		[ "$$(now)" -lt "$$again" ] || watch
	elif [ "$$watching" != yes ] && grep -qs '^Watches established' "$$run/said"; then
		# What changed before it was watched is in no event.
		watching=yes
		: >"$$run/changed"
	fi
}

# Half of the time at most goes into copying; what failed is tried again in half a minute.
pass() {
	sleep 1
	rm -f "$$run/changed"
	began=$$(now) code=0
	if [ "$$(role)" = source ]; then
		rsync -aHS --numeric-ids --delete --modify-window=-1 --contimeout=10 --timeout=300 --stats \
			--exclude=/$mark --exclude=/lost+found --password-file=$password \
			"$$path/" "rsync://$user@$$copy/$module/" >"$$run/rsync" 2>&1 || code=$$?
	else
		echo "$$mark does not say that this server is the source: the disk of $$path may be missing" >"$$run/rsync"
		code=source
	fi
	took=$$(($$(now) - began))
	case $$code in
	0 | 24)
		# 24: a file was gone before it could be copied, which is a change that makes for another pass.
		complete=$$began failed='' next=$$((began + 600)) earliest=$$(($$(now) + took))
		directories=$$(sed -n 's/^Number of files:.* dir: \([0-9,]*\).*/\1/p' "$$run/rsync" | tr -d ,)
		directories=$${directories:-0}
		;;
	*)
		failed="$$code $$(grep -v '^rsync error: ' "$$run/rsync" | grep . | tail -n 3 | tr '\n\t' '  ')"
		: >"$$run/changed"
		next=$$(($$(now) + 30)) earliest=$$next
		;;
	esac
}

push() {
	mkdir -p "$$home"
	rm -f "$$run/changed"
	complete=$$(kept complete) directories=$$(kept directories)
	complete=$${complete:-0} directories=$${directories:-0}
	took=0 failed='' next=0 earliest=0 before=0
	watch
	while :; do
		look_at_watch
		tick=$$(now)
		# A clock that was set back must not put a pass off.
		[ $$((next - tick)) -le 600 ] || next=$$tick
		[ $$((earliest - tick)) -le 86400 ] || earliest=$$tick
		# Without watches the next pass comes sooner.
		[ "$$watching" = yes ] || [ $$((next - tick)) -le 60 ] || next=$$((tick + 60))
		if [ "$$tick" -ge "$$next" ] || { [ -e "$$run/changed" ] && [ "$$tick" -ge "$$earliest" ]; }; then
			pass
		elif [ "$$watching" = yes ] && [ -z "$$failed" ] && [ ! -e "$$run/changed" ]; then
			# Nothing has changed since the last pass: the copy has all that there was a moment ago.
			[ "$$before" -le "$$complete" ] || complete=$$before
		fi
		before=$$tick
		keep
		sleep 3
	done
}

# What stands on standard output is told to whoever wants to copy.
guard() {
	if [ "$$(role)" != copy ]; then
		echo "$$mark does not say that this server is the copy: nothing is taken"
		exit 1
	fi
	if gives; then
		echo "this server gives $$path to its clients: nothing is taken"
		exit 1
	fi
}

end() { [ ! -f /etc/systemd/system/"$$1" ] || systemctl --quiet disable --now "$$1"; }
become() {
	if [ "$$2" != "$$site" ]; then
		echo "The last word has to be the site's name." >&2
		exit 2
	fi
	case $$1 in
	source) end $copy_unit.service ;;
	copy)
		if gives; then
			echo "This server gives $$path to its clients." >&2
			exit 3
		fi
		end $push_unit.service
		;;
	*) exit 64 ;;
	esac
	printf '%s\nrole %s\n' "$header" "$$1" >"$$mark"
	sync -f "$$mark"
	echo "$$path: role $$1"
}

case $${1-} in
push) push ;;
guard) guard ;;
become) become "$${2-}" "$${3-}" ;;
*) exit 64 ;;
esac
