# Prints digests of files, however large; changes nothing.
# Arguments: PATH...
# Output: per path a line "DIGEST PATH"; the digest is "-" when there is no such file.
# Exit codes: 0.
set -eu
for path; do
	digest=-
	if [ -f "$path" ]; then
		digest=$(sha256sum <"$path")
		digest=${digest%% *}
	fi
	printf '%s %s\n' "$digest" "$path"
done
