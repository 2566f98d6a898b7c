// SPDX-License-Identifier: Apache-2.0
// The file of one sandbox' record. Knows no CAF.
#pragma once

#include <string>

#include "node/storage/sandbox_records.hpp"

namespace forkfleet {

/// Its name in a sandbox' directory.
inline constexpr const char* sandbox_record_file = "sandbox.json";

/// Reads it; io_failed when it is not there, or not of this place.
expected<sandbox_record> load_sandbox_record(const std::string& directory,
                                             const sandbox_id& place);

} // namespace forkfleet
