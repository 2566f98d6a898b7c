// SPDX-License-Identifier: Apache-2.0
// What verifications, exports and imports came to, for people.
#pragma once

#include <string>
#include <vector>

#include "actors/shell/table.hpp"
#include "actors/snapshot_protocol.hpp"

namespace forkfleet::shell {

/// One verification: sound or not, how much was read, and where the first
/// wrong place is.
std::string verify_text(const verify_report& x, const terminal& where);

/// A row for each of several.
table verify_table(const std::vector<verify_report>& reports, bool utf8);

/// What was written or read where; `verb` is "exported" or "imported".
std::string archive_text(const archive_report& x, const std::string& verb,
                         const terminal& where);

} // namespace forkfleet::shell
