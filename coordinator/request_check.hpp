// SPDX-License-Identifier: Apache-2.0
// Pure: checks what clients ask, and fills in the names that they left out.
#pragma once

#include <cstdint>
#include <random>

#include "actors/snapshot_protocol.hpp"

namespace forkfleet {

/// A new operation id of the time and a dice's throw.
operation_id make_operation_id(microseconds unix_time, std::mt19937_64& dice);

/// The name of a snapshot that the request did not name: the sandbox and the
/// end of the operation's id. The same for each retry.
snapshot_tag default_tag(const sandbox_id& source,
                         const operation_id& operation);

/// The name of a child that the request did not name.
sandbox_id default_child(const snapshot_tag& tag,
                         const operation_id& operation);

/// Fills in the tag and the deadline (0 takes `deadline`), and checks all
/// else: invalid_request names the field. The operation's id must be set.
status complete(branch_request& request, milliseconds deadline);
status complete(restore_request& request, milliseconds deadline);

/// The same for upkeep: fills in the deadline and the archive's name.
status complete(flatten_request& request, milliseconds deadline);
status complete(verify_request& request, milliseconds deadline);
status complete(export_request& request, milliseconds deadline);
status complete(import_request& request, milliseconds deadline);

status complete(compare_request& request, milliseconds deadline);

/// Checks the names, the labels and the note.
status check_request(const annotate_request& request);

/// invalid_request unless the name is set and safe.
status check_name(const sandbox_id& id);
status check_name(const snapshot_tag& tag);
status check_name(const host_name& host);
status check_name(const operation_id& operation);

} // namespace forkfleet
