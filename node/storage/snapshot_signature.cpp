// SPDX-License-Identifier: Apache-2.0
#include "node/storage/snapshot_signature.hpp"

namespace forkfleet {

namespace {

std::string signed_text(const snapshot_manifest& x) {
  return "forkfleet snapshot signature 1\n" + x.root_hash + "\n";
}

} // namespace

status sign(snapshot_manifest& x, const signing_key& key) {
  if (x.format_version < manifest_version)
    return fail(ec::unsupported,
                x.tag.value
                  + " was sealed by an older version, whose root "
                    "hash does not cover what it would run");
  auto signature = key.sign(signed_text(x));
  if (!signature)
    return tl::unexpected<failure>(signature.error());
  x.signed_by = key.public_key();
  x.signature = std::move(*signature);
  return {};
}

bool is_vouched_by(const snapshot_manifest& x, const std::string& public_key) {
  return x.format_version >= manifest_version && !public_key.empty()
         && x.signed_by == public_key
         && is_signed_by(public_key, signed_text(x), x.signature);
}

std::string signature_text(const snapshot_manifest& x,
                           const std::string& fleet_key) {
  if (x.signed_by.empty())
    return x.format_version < manifest_version
             ? "nobody: an older version sealed it"
             : "nobody";
  if (!is_vouched_by(x, x.signed_by))
    return "nobody: its signature is wrong";
  return x.signed_by == fleet_key ? "the fleet"
                                  : "a stranger's key " + x.signed_by;
}

} // namespace forkfleet
