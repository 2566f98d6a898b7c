// SPDX-License-Identifier: Apache-2.0
// Pure: which host a request goes to, by what the lineage knows. A name must
// be new in the whole fleet, so while hosts have yet to tell what they hold,
// what is not known is not_ready.
#pragma once

#include <vector>

#include "actors/exec_protocol.hpp"
#include "actors/snapshot_protocol.hpp"
#include "actors/switch_protocol.hpp"
#include "coordinator/lineage.hpp"

namespace forkfleet {

/// Hosts that may hold names which nobody here knows; empty once all have
/// told, or have had the time to.
using untold_hosts = std::vector<host_name>;

/// Where the source is. snapshot_exists when the tag is taken, unless this
/// very operation made it; unknown_sandbox.
expected<host_name> find_host(const lineage& names,
                              const branch_request& request,
                              const untold_hosts& untold);

/// Where the snapshot is. sandbox_exists when the child's name is taken and
/// may not be this very operation's child; unknown_snapshot.
expected<host_name> find_host(const lineage& names,
                              const restore_request& request,
                              const untold_hosts& untold);

/// Where the sandbox is; unknown_sandbox.
expected<host_name> find_host(const lineage& names, const stop_request& request,
                              const untold_hosts& untold);

/// Where the snapshot is; unknown_snapshot.
expected<host_name> find_host(const lineage& names,
                              const remove_request& request,
                              const untold_hosts& untold);

/// Where the snapshot is; unknown_snapshot.
expected<host_name> find_host(const lineage& names,
                              const flatten_request& request,
                              const untold_hosts& untold);
expected<host_name> find_host(const lineage& names,
                              const verify_request& request,
                              const untold_hosts& untold);
expected<host_name> find_host(const lineage& names,
                              const export_request& request,
                              const untold_hosts& untold);

expected<host_name> find_host(const lineage& names,
                              const annotate_request& request,
                              const untold_hosts& untold);
expected<host_name> find_host(const lineage& names,
                              const inspect_request& request,
                              const untold_hosts& untold);

/// Where both snapshots are; unsupported when they are on two hosts.
expected<host_name> find_host(const lineage& names,
                              const compare_request& request,
                              const untold_hosts& untold);

/// Where the sandbox is whose guest is meant; unknown_sandbox.
expected<host_name> find_host(const lineage& names, const exec_request& request,
                              const untold_hosts& untold);
expected<host_name> find_host(const lineage& names, const file_request& request,
                              const untold_hosts& untold);
expected<host_name> find_host(const lineage& names,
                              const console_request& request,
                              const untold_hosts& untold);

/// Where the sandbox and the snapshot are; unsupported when they are on two
/// hosts. One that has ended well, asked again: where it was done.
expected<host_name> find_host(const lineage& names,
                              const rollback_request& request,
                              const untold_hosts& untold);

/// Where the child is; unsupported when its source is on another host. One
/// that has ended well, asked again: where it was done.
expected<host_name> find_host(const lineage& names,
                              const promote_request& request,
                              const untold_hosts& untold);

/// Success when a new snapshot may have the tag; an empty one always may.
/// Errors: snapshot_exists, not_ready.
status check_free(const lineage& names, const snapshot_tag& tag,
                  const untold_hosts& untold);

/// not_ready with the hosts that have yet to tell of `what`; none when there
/// are no such hosts.
failure not_told(const untold_hosts& untold, const std::string& what);

} // namespace forkfleet
