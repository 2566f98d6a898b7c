// SPDX-License-Identifier: Apache-2.0
// From the fleet file to a NODE that is ready to be spawned: its data
// directory, its drivers, and what an earlier life left behind.
#pragma once

#include <memory>
#include <string>

#include "config/fleet_file.hpp"
#include "node/node.hpp"
#include "node/storage/data_directory.hpp"
#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file_journal.hpp"

namespace forkfleet {

/// What the command line says beside the fleet file.
struct host_options {
  host_name host = {};
  int leash_pid = 0;
  bool stop_sandboxes = false;
};

/// Everything that a NODE is spawned with.
struct host_setup {
  node_settings settings = {};
  node_services services = {};
};

/// Takes the data directory, recovers, and fills in the rest. Errors name
/// the path: not_permitted when another node holds the directory.
expected<host_setup> set_up_host(const config::fleet_file& fleet,
                                 const host_options& options);

/// The host of that name in the fleet file; invalid_request names the known.
expected<config::host_section> find_host(const config::fleet_file& fleet,
                                         const host_name& name);

} // namespace forkfleet
