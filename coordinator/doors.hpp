// SPDX-License-Identifier: Apache-2.0
// Where the coordinator of a fleet listens, and what it needs on the disk for
// that: certificates, or a socket of its own user and tokens.
#pragma once

#include <string>
#include <vector>

#include "actors/link/link.hpp"
#include "config/fleet_file.hpp"

namespace forkfleet {

/// One place to listen at.
struct coordinator_door {
  link_endpoint where = {};
  tls_material proof = {};
};

/// Its port with certificates; else its socket and, where the file names a
/// loopback port, that one with tokens.
std::vector<coordinator_door> doors_of(const config::fleet_file& fleet);

/// Checks the certificates, or makes the owner's token where it is missing.
/// The data directory's lock is held.
status prepare_doors(const config::fleet_file& fleet);

} // namespace forkfleet
