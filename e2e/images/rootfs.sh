#!/bin/sh
# rootfs.sh FROM TO: takes from the Debian root file system FROM what the operator's program needs, and no more:
# the C library with its resolver, libgcc, certificates of authorities, a user.
set -eu
from=$1 to=$2
mkdir -p "$to/etc/ssl/certs" "$to/tmp"
chmod 1777 "$to/tmp"
for file in ld-linux-*.so.* libc.so.* libm.so.* libresolv.so.* libnss_dns.so.* libnss_files.so.* libgcc_s.so.*; do
  for path in "$from"/lib64/$file "$from"/lib/$file "$from"/lib/*-linux-gnu/$file; do
    [ -e "$path" ] || continue
    target=$to/${path#"$from"/}
    mkdir -p "${target%/*}"
    cp -L "$path" "$target"
  done
done
cat "$from"/usr/share/ca-certificates/mozilla/*.crt >"$to/etc/ssl/certs/ca-certificates.crt"
echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >"$to/etc/passwd"
echo 'nonroot:x:65532:' >"$to/etc/group"
echo 'hosts: files dns' >"$to/etc/nsswitch.conf"
