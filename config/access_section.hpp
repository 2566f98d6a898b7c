// SPDX-License-Identifier: Apache-2.0
// The fleet file's section on who is turned away, and on what is written of
// those who are not. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/schema/fields.hpp"
#include "config/byte_size.hpp"

namespace forkfleet::config {

struct access_section {
  std::vector<std::string> denied = {};
  byte_size audit_bytes{16u << 20};
  uint64_t audit_files = 8;

  friend bool operator==(const access_section&,
                         const access_section&) = default;
  static constexpr schema::about about{
    "access", "Who is turned away, and what is written of the others."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("denied", &access_section::denied,
            "client:NAME, node:NAME, token:NAME, or serial:HEX of one "
            "certificate; at most 1000. The coordinator reads the list again "
            "when the file changes, and ends their connections."),
      field("audit_bytes", &access_section::audit_bytes,
            "A file of the audit log is followed by the next one when it has "
            "grown to this; 64KiB to 1GiB."),
      field("audit_files", &access_section::audit_files,
            "As many of them are kept; 2 to 100."),
    };
  }
};

} // namespace forkfleet::config
