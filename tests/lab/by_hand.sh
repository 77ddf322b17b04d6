#!/bin/bash
# The whole cluster by hand, with plain ssh and nothing else: what a careful person would type, as a baseline for benchmarks.
#   by_hand.sh [LAB] [rainbond]   the lab must be up: n1..n3 become servers with a VIP, n4, if there is one, an agent;
#                                 with "rainbond", Rainbond is installed on it with helm, from this machine; its
#                                 databases are outside when BY_HAND_MYSQL says "HOST PORT USER PASSWORD"
# Progress goes to stderr; stdout is one line of JSON with the seconds of each phase.
set -euo pipefail

cd "$(dirname "$0")/../.."
lab=${1:-lab} rainbond=${2:-}
status=$(python3 -m tests.lab --lab "$lab" status)
field() { python3 -c 'import json, sys; print(eval(sys.argv[1], {"lab": json.load(sys.stdin)}))' "$1" <<<"$status"; }
key=$(field 'lab["key"]') bundle=$(field 'lab["bundle"]') vip=$(field 'lab["vips"][0]') prefix=$(field 'lab["network"].split("/")[1]')
mapfile -t address < <(field '"\n".join(h["address"] for h in lab["hosts"])')
[ "$bundle" != None ] || { echo "no bundle: python -m tests.lab bundle" >&2; exit 2; }
servers=("${address[@]:0:3}") agent=${address[3]:-}
token=by-hand-$RANDOM$RANDOM
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

options=(-F none -i "$key" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
on() { local host=$1; shift; ssh "${options[@]}" "root@$host" "$@"; }
copy() { local host=$1 target=$2; shift 2; scp -q "${options[@]}" "$@" "root@$host:$target"; }
all() { # all FUNCTION ARGUMENT…: for every argument at the same time
    local function=$1 pids=() pid; shift
    for argument; do "$function" "$argument" & pids+=($!); done
    for pid in "${pids[@]}"; do wait "$pid"; done
}
until_true() { # until_true SECONDS COMMAND…
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -lt $end ] || { echo "not in time: $*" >&2; return 1; }; sleep 0.5; done
}

phases=() begun=$EPOCHREALTIME started=$EPOCHREALTIME
phase() { # phase NAME: the time since the last phase ended belongs to NAME
    local spent; spent=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    phases+=("\"$1\": $spent"); begun=$EPOCHREALTIME
    echo "$1: $spent s" >&2
}

keepalived_on() {
    local host=$1 number peers
    for number in 0 1 2; do [ "${servers[number]}" = "$host" ] && break; done
    peers=$(printf '%s\n' "${servers[@]}" | grep -vx "$host")
    if ! on "$host" 'command -v keepalived >/dev/null'; then
        on "$host" 'mkdir -p /var/tmp/packages'
        copy "$host" /var/tmp/packages/ "$bundle"/packages/debian-12-amd64/*.deb
        on "$host" 'dpkg -i /var/tmp/packages/*.deb >/dev/null'
    fi
    on "$host" 'cat > /etc/keepalived/keepalived.conf && systemctl enable -q keepalived && systemctl restart keepalived' <<EOF
vrrp_instance api {
    state BACKUP
    interface host0
    virtual_router_id 87
    priority $((103 - number))
    advert_int 1
    unicast_src_ip $host
    unicast_peer {
$(printf '        %s\n' $peers)
    }
    virtual_ipaddress {
        $vip/$prefix
    }
}
EOF
}

no_ingress() { # Rainbond's gateway needs the ports that RKE2's ingress would take
    [ -z "$rainbond" ] || echo "disable: [rke2-ingress-nginx]"
}

ship_images_of_rainbond() { # RKE2 imports what lies there at its next start; a node that runs already does it by hand
    copy "$1" /var/lib/rancher/rke2/agent/images/ "$bundle"/rainbond-images-amd64.tar.gz
    on "$1" 'cd /var/lib/rancher/rke2 && gunzip -c agent/images/rainbond-images-amd64.tar.gz |
             bin/ctr -a /run/k3s/containerd/containerd.sock -n k8s.io images import - >/dev/null'
}

ship_to() {
    on "$1" 'mkdir -p /var/tmp/rke2 /var/lib/rancher/rke2/agent/images'
    copy "$1" /var/tmp/rke2/ "$bundle"/rke2.linux-amd64.tar.gz "$bundle"/rke2-images.linux-amd64.tar.zst "$bundle"/sha256sum-amd64.txt
    on "$1" 'cd /var/tmp/rke2 && sha256sum --quiet --ignore-missing -c sha256sum-amd64.txt && tar xzf rke2.linux-amd64.tar.gz -C /usr/local &&
             mv rke2-images.linux-amd64.tar.zst /var/lib/rancher/rke2/agent/images/ && systemctl daemon-reload'
}

configure() { # configure HOST NAME LINE…
    local host=$1 name=$2; shift 2
    on "$host" 'mkdir -p /etc/rancher/rke2 && cat > /etc/rancher/rke2/config.yaml && chmod 600 /etc/rancher/rke2/config.yaml' <<EOF
token: $token
node-name: $name
node-ip: $host
$(printf '%s\n' "$@")
EOF
}

ready() { # ready NAME: as the first server sees it
    on "${servers[0]}" "/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml get node $1 --no-headers" 2>/dev/null | grep -q ' Ready '
}

install() { # install KIND HOST NAME LINE…
    local kind=$1 host=$2 name=$3; shift
    configure "$@"
    on "$host" "systemctl enable -q rke2-$kind && systemctl start rke2-$kind"
    until_true 120 ready "$name"
}

holds_vip() { on "$1" "ip -brief address show dev host0" | grep -q "$vip/"; }
answers() { timeout 2 bash -c "exec 3<>/dev/tcp/$vip/$1" 2>/dev/null; }

all keepalived_on "${servers[@]}"
until_true 30 holds_vip "${servers[0]}"
phase keepalived
all ship_to "${address[@]}"
phase ship
install server "${servers[0]}" n1 "tls-san: [$vip]" "$(no_ingress)"
phase first_server
install server "${servers[1]}" n2 "tls-san: [$vip]" "server: https://$vip:9345" "$(no_ingress)"
phase second_server
install server "${servers[2]}" n3 "tls-san: [$vip]" "server: https://$vip:9345" "$(no_ingress)"
phase third_server
if [ -n "$agent" ]; then
    install agent "$agent" n4 "server: https://$vip:9345"
    phase agent
fi
until_true 30 answers 6443
until_true 30 answers 9345
on "${servers[0]}" "/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml get nodes -o wide" >&2
phase proof

values() {
    cat <<EOF
operator:
  env:
  - {name: DISABLE_LOG, value: "true"}
Cluster:
  gatewayIngressIPs: $vip
  nodesForGateway:
$(for number in 0 1 2; do echo "  - {name: n$((number + 1)), internalIP: ${servers[number]}, externalIP: ${servers[number]}}"; done)
  nodesForChaos: [{name: n1}, {name: n2}, {name: n3}]
  containerdRuntimePath: /var/run/k3s/containerd
  replicas: 2
EOF
    [ -z "${BY_HAND_MYSQL:-}" ] || databases $BY_HAND_MYSQL
}
databases() { # databases HOST PORT USER PASSWORD
    for name in region ui; do
        echo "  ${name}Database: {enable: true, host: $1, port: $2, name: ${name/ui/console}, username: $3, password: \"$4\"}"
    done
}
wanted_pods=19
[ -z "${BY_HAND_MYSQL:-}" ] || wanted_pods=18
pods_ready() { # every pod of Rainbond is ready, and there are as many as there must be
    on "${servers[0]}" '/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml -n rbd-system get pods --no-headers' 2>/dev/null |
        awk '$3 == "Completed" { next } { split($2, r, "/"); if (r[1] == r[2] && $3 == "Running") ready++; else other++ }
             END { exit !(ready >= '"$wanted_pods"' && !other) }'
}
console_answers() { timeout 3 bash -c "exec 3<>/dev/tcp/$vip/7070; printf 'GET /console/config/info HTTP/1.0\r\n\r\n' >&3; head -1 <&3" 2>/dev/null | grep -q ' 200 '; }

if [ -n "$rainbond" ]; then
    all ship_images_of_rainbond "${address[@]}"
    phase rainbond_images
    on "${servers[0]}" 'cat /etc/rancher/rke2/rke2.yaml' | sed "s/127.0.0.1:6443/$vip:6443/" > "$scratch/kubeconfig"
    chmod 600 "$scratch/kubeconfig"
    values > "$scratch/values.yaml"
    "$bundle/helm-amd64" --kubeconfig "$scratch/kubeconfig" -n rbd-system install rainbond "$bundle"/rainbond-6*.tgz \
        --create-namespace -f "$scratch/values.yaml" >&2
    phase helm
    until_true 600 pods_ready
    phase rainbond_pods
    until_true 60 console_answers
    phase rainbond_proof
fi
total=$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
phases+=("\"total\": $total")
(IFS=,; echo "{${phases[*]}}")
