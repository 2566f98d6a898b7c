// SPDX-License-Identifier: Apache-2.0
// What one of our certificates says about its owner.
#pragma once

#include <chrono>

#include <openssl/x509.h>

#include "actors/access.hpp"

namespace forkfleet {

struct certificate_facts {
  /// The common name, the serial number and, of a client, its role: the one
  /// organizational unit of its name. A client without one is a viewer, and
  /// so is one whose unit is none of the roles.
  access_subject subject = {};
  /// When it expires.
  std::chrono::system_clock::time_point until = {};
};

/// Reads them. A common name with a zero byte inside is no name.
certificate_facts facts_of(X509* certificate);

} // namespace forkfleet
