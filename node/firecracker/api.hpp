// SPDX-License-Identifier: Apache-2.0
// Firecracker's API as typed calls. Bodies are made for the version that the
// VMM says it has: it refuses keys that it does not know.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/schema/json_text.hpp"
#include "node/firecracker/http_client.hpp"
#include "node/firecracker/version_rules.hpp"

namespace forkfleet::firecracker {

/// Where a VM of Firecracker stands by its own account.
enum class instance_state : uint8_t { not_started, running, paused };

struct boot_source {
  std::string kernel = {};
  std::string initrd = {}; // empty: none
  std::string arguments = {};
};

struct machine_config {
  uint64_t vcpus = 1;
  uint64_t memory_bytes = 0; // whole MiB
  bool tracks = false;       // dirty pages are tracked

  friend bool operator==(const machine_config&,
                         const machine_config&) = default;
};

struct drive {
  std::string id = {};
  std::string path = {};
  bool is_root = false;
  bool is_readonly = false;

  friend bool operator==(const drive&, const drive&) = default;
};

/// Which pages a snapshot holds.
enum class snapshot_kind : uint8_t { full, diff };

/// Where a snapshot is written to or read from.
struct snapshot_paths {
  std::string vmstate = {};
  std::string memory = {};
};

/// One VM's API. Errors: vmm_refused with what Firecracker said, disk_full
/// and quota_exceeded when that is what it said, unsupported when it does not
/// understand us, vmm_unreachable, deadline_exceeded. Used by one thread at a
/// time.
class api {
public:
  /// As of http_client.
  explicit api(std::string path, const qemu::process_id& known = {})
    : http_{std::move(path), known} {}

  const std::string& path() const { return http_.path(); }

  /// Asked once; unsupported when it is older than version_min.
  expected<vmm_version> version(deadline_point until);
  expected<instance_state> state(deadline_point until);
  expected<machine_config> machine(deadline_point until);
  expected<std::vector<drive>> drives(deadline_point until);

  /// Before the start.
  status set(const boot_source& x, deadline_point until);
  status set(const machine_config& x, deadline_point until);
  status add(const drive& x, deadline_point until);
  /// Where the console goes; from 1.14 on.
  status set_serial(const std::string& path, deadline_point until);
  status start(deadline_point until);
  /// Into a fresh process; it ends when this fails. The VM is paused then.
  status load(const snapshot_paths& from, deadline_point until);

  /// After the start.
  status pause(deadline_point until);
  status resume(deadline_point until);
  /// Only of a VM that is paused, and once per pause.
  status create(snapshot_kind kind, const snapshot_paths& to,
                deadline_point until);

private:
  expected<schema::json> get(const std::string& target, deadline_point until);
  status send(http_verb verb, const std::string& target,
              const schema::json& body, deadline_point until);

  http_client http_;
  std::optional<vmm_version> version_ = {};
};

} // namespace forkfleet::firecracker
