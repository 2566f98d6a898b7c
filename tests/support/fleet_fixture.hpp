// SPDX-License-Identifier: Apache-2.0
// A whole fleet of real processes on loopback, in a directory of its own:
// starts, kills and restarts its programs, and asks it as a client would.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

#include "actors/client.hpp"
#include "tests/support/scratch.hpp"

namespace forkfleet::test {

/// Looks at `holds` every few milliseconds until it is true or `limit` has
/// passed; tells which.
bool eventually(const std::function<bool()>& holds,
                std::chrono::milliseconds limit = std::chrono::seconds{60});

/// A TCP port that nobody listens on now.
uint16_t free_port();

/// Where one of our programs is: in `$FORKFLEET_BIN`, else where it was
/// built.
std::string program_path(const std::string& name);

/// A child process that dies with this one.
class program_run {
public:
  /// Starts `words` with `extra` added to the environment; what it prints
  /// goes to the file `log`.
  program_run(const std::vector<std::string>& words, const std::string& log,
              const std::map<std::string, std::string>& extra = {});
  /// Kills it.
  ~program_run();
  program_run(program_run&& other) noexcept;
  program_run& operator=(program_run&& other) noexcept;

  pid_t pid() const { return pid_; }
  /// Whether it has not ended yet.
  bool is_running();
  /// Sends `signal` and waits for its end; its wait status.
  int end(int signal);
  /// Waits for its end by itself; -1 when it is still there at the limit.
  int wait(std::chrono::milliseconds limit);

private:
  pid_t pid_ = -1;
  int status_ = 0;
};

/// What goes into the fleet file.
struct fleet_shape {
  std::vector<std::string> hosts = {"h1"};
  std::string sandboxes = {}; // YAML of the list's entries, two spaces deep
  std::string branch = {};    // YAML of the branch section
  std::string limits = {};    // YAML of the limits section
  std::string data_base = {}; // where the hosts' data lie; empty: scratch
  int descriptors_max = 0;    // the hard limit of each node; 0: ours
};

/// The fleet.
class fleet_fixture {
public:
  explicit fleet_fixture(const fleet_shape& shape);
  ~fleet_fixture();

  /// Starts the coordinator and every node, and waits until all have joined
  /// and every sandbox runs.
  void start();

  void start_coordinator();
  /// `fault` as in FORKFLEET_FAULT.
  void start_node(const std::string& host, const std::string& fault = {});
  void kill_coordinator();
  void kill_node(const std::string& host);
  program_run& node(const std::string& host) { return nodes_.at(host); }

  /// The coordinator's resident memory in bytes.
  uint64_t memory_of_coordinator() const;

  /// Whether all nodes are up and all sandboxes of the file run.
  bool is_ready();

  /// Whether the coordinator knows the host's node in a life after the one
  /// that was killed last. is_ready asks for this, too.
  bool is_back(const std::string& host);

  /// Asks the coordinator.
  expected<branch_report> branch(const branch_request& request);
  expected<operation_status> status_of(const std::string& operation);
  sandbox_info sandbox(const std::string& id);
  std::vector<snapshot_info> snapshots();
  template <class Reply, class Request>
  expected<Reply> ask(const Request& request, std::chrono::milliseconds limit) {
    return client_.ask<Reply>(request, limit);
  }

  std::string file() const { return scratch_.path() + "/fleet.yaml"; }
  std::string data_of(const std::string& host) const;
  std::string log_of(const std::string& program) const;
  const std::string& directory() const { return scratch_.path(); }
  /// A loopback port, which takes clients with a token.
  uint16_t port() const { return port_; }
  std::string coordinator_data() const {
    return scratch_.path() + "/state/coordinator";
  }
  /// The owner's token, an admin's. FORKFLEET_TOKEN names it to the tool.
  std::string token() const {
    return coordinator_data() + "/tokens/owner.token";
  }
  /// How the fleet's own user reaches the coordinator.
  client_settings reach() const {
    return {.coordinator = {
              .host = {}, .port = 0, .socket = coordinator_data() + "/door"}};
  }
  /// Names in a directory of a host's data, such as staging.
  std::vector<std::string> names_in(const std::string& host,
                                    const std::string& part) const;

private:
  scratch_directory scratch_;
  fleet_shape shape_;
  uint16_t port_ = 0;
  std::map<std::string, program_run> nodes_ = {};
  void note_life(const std::string& host);

  std::map<std::string, uint64_t> killed_ = {}; // which life of a host's node
  std::vector<program_run> coordinator_ = {};
  client client_;
};

/// The YAML entry of a simulated sandbox.
std::string simulated_sandbox(const std::string& name, const std::string& host);

/// The YAML entry of the example guest under QEMU; empty when the guest has
/// not been built.
std::string guest_sandbox(const std::string& name, const std::string& host,
                          const std::string& memory,
                          const std::string& append = {});

/// The same guest with an agent and a port for it; or with the port alone.
/// Empty: it was not built.
std::string agent_sandbox(const std::string& name, const std::string& host,
                          bool has_agent = true);

} // namespace forkfleet::test
