#!/bin/sh
# Installs Debian packages where it may: as root, or by sudo without a password. Elsewhere it says the line, exit status 2.
# No service of theirs is started.
set -eu
policy=/usr/sbin/policy-rc.d
install="apt-get install -y --no-install-recommends $*"
as_root=""

if ! command -v apt-get >/dev/null; then
  echo "These Debian packages are missing, or what your system has in their place: $*" >&2
  exit 2
fi
if [ "$(id -u)" != 0 ]; then
  as_root="sudo -n"
  if ! $as_root true 2>/dev/null; then
    echo "This needs packages that are not installed. Run: sudo $install" >&2
    exit 2
  fi
fi

# While policy-rc.d exits 101, Debian starts no service that it installs. One that was there before comes back.
forbid_services() {
  trap clean_up EXIT
  trap 'exit 1' HUP INT TERM
  [ ! -e $policy ] || [ -e $policy.kept ] || $as_root mv $policy $policy.kept
  printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
  $as_root chmod 755 $policy
}
clean_up() {
  rm -f "$log"
  $as_root rm -f $policy
  [ ! -e $policy.kept ] || $as_root mv $policy.kept $policy
}

echo "Installing $* ..."
log=$(mktemp)
forbid_services
# A list that cannot be refreshed may still do: whether it does, the installation tells.
$as_root apt-get update -q >"$log" 2>&1 || true
if ! $as_root env DEBIAN_FRONTEND=noninteractive $install -o DPkg::Lock::Timeout=120 >>"$log" 2>&1; then
  tail -n 20 "$log" >&2
  exit 1
fi
