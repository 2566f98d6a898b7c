// SPDX-License-Identifier: Apache-2.0
// Removes from a host what its ledger says that nobody owns: processes
// first, then what they had. Only what is still the very thing that was
// judged. Knows no CAF.
#pragma once

#include <functional>

#include "node/ledger/ledger.hpp"

namespace forkfleet {

/// Asked right before a thing is removed; false leaves it for another time.
using may_remove = std::function<bool(const ledger_thing&)>;

/// Removes every orphan and says in its item what came of it: "removed",
/// "is gone", or why it is left. Nothing else is touched.
void repair_host(host_ledger& ledger, const may_remove& may);

} // namespace forkfleet
