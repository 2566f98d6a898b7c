// SPDX-License-Identifier: Apache-2.0
// What the files of one sandbox' directory vouch for. Knows no CAF.
#pragma once

#include <string>

#include "node/qemu/process.hpp"

namespace forkfleet {

/// What is known of a sandbox by its directory alone.
struct sandbox_facts {
  bool has_record = false;
  std::string damage = {};  // why its record cannot be read
  qemu::process_id vm = {}; // as recorded; none while it is started
  std::string space = {};   // its network namespace; empty: none
};

/// Reads the record and the VM's record in `<sandboxes>/<name>`.
sandbox_facts look_at_sandbox(const std::string& sandboxes,
                              const std::string& name);

} // namespace forkfleet
