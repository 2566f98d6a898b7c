// SPDX-License-Identifier: Apache-2.0
// Who vouches for a snapshot: a signature of its root hash, which covers all
// that it holds and would run. Knows no CAF.
#pragma once

#include <string>

#include "actors/signing_key.hpp"
#include "node/storage/manifest.hpp"

namespace forkfleet {

/// Signs the manifest's root hash. unsupported for an older version, whose
/// root hash does not cover the contract.
status sign(snapshot_manifest& x, const signing_key& key);

/// Whether this public key's owner signed the manifest's root hash.
bool is_vouched_by(const snapshot_manifest& x, const std::string& public_key);

/// Who vouches for it, in words: "the fleet" for its own key, which may be
/// empty.
std::string signature_text(const snapshot_manifest& x,
                           const std::string& fleet_key);

} // namespace forkfleet
