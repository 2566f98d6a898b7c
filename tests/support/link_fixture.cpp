// SPDX-License-Identifier: Apache-2.0
#include "tests/support/link_fixture.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/harden.hpp"
#include "actors/link/token_proof.hpp"
#include "tests/support/fake_coordinator.hpp"

namespace forkfleet::test {

namespace {

constexpr milliseconds patience{20000};
constexpr milliseconds step{5};

node_actor::behavior_type fake_node(node_actor::pointer self,
                                    std::string host) {
  harden(self);
  return {
    [host](const branch_request& x) {
      auto report = branch_report{
        .operation = x.operation, .sandbox = x.sandbox, .host = {host}};
      if (!x.labels.empty())
        report.warnings.emplace_back(300 * 1024, 'x');
      return report;
    },
    [](const operation_query& x) { return operation_status{x.operation}; },
    [](const restore_request&) { return restore_report{}; },
    [](const stop_request&) { return done{}; },
    [](const remove_request&) { return done{}; },
    [](const cancel_request&) { return done{}; },
    [](const flatten_request&) { return done{}; },
    [](const verify_request& x) { return verify_report{.tag = x.tag}; },
    [](const export_request& x) { return archive_report{.tag = x.tag}; },
    [](const import_request& x) { return archive_report{.tag = x.tag}; },
    [](const annotate_request&) { return inspect_report{}; },
    [](const inspect_request&) { return inspect_report{}; },
    [](const compare_request&) { return compare_report{}; },
    [](const exec_request&) { return exec_report{}; },
    [](const file_request&) { return file_report{}; },
    [](const console_request&) { return console_report{}; },
    [](const fsck_request& x) { return fsck_report{.host = x.host}; },
    [](const doctor_request& x) { return doctor_report{.host = x.host}; },
    [](const rollback_request& x) { return restore_report{.tag = x.tag}; },
    [](const promote_request&) { return restore_report{}; },
  };
}

} // namespace

link_limits open_to_all(link_limits limits) {
  limits.open_loopback = true;
  return limits;
}

program::program(const link_limits& limits)
  : system_(config_), link_(system_, open_to_all(limits)) {
  // nop
}

program::~program() {
  for (const auto& x : nodes_)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  if (coordinator_)
    caf::anon_send_exit(coordinator_, caf::exit_reason::user_shutdown);
}

uint16_t program::serve(const tls_material& tls, const std::string& host,
                        uint16_t port) {
  return link_.listen({host, port}, tls, make_coordinator()).value_or(0);
}

coordinator_actor program::make_coordinator() {
  if (!coordinator_)
    coordinator_ = system_.spawn(fake_coordinator, link_.check_peer());
  return coordinator_;
}

node_actor program::make_node(const std::string& host) {
  nodes_.push_back(system_.spawn(fake_node, host));
  return nodes_.back();
}

expected<coordinator_actor> program::connect(const link_endpoint& where,
                                             const tls_material& tls) {
  auto found = expected<coordinator_actor>{fail(ec::interrupted, "no answer")};
  auto self = caf::scoped_actor{system_};
  self->request(link_.connector(where, tls), patience, connect_request{})
    .receive([&found](const coordinator_actor& x) { found = x; },
             [&found](const caf::error& x) {
               found = tl::unexpected(from_caf_error(x));
             });
  return found;
}

expected<node_welcome> program::join(const link_endpoint& where,
                                     const tls_material& tls,
                                     const std::string& host,
                                     milliseconds limit) {
  const auto there = connect(where, tls);
  if (!there)
    return tl::unexpected(there.error());
  auto answer = expected<node_welcome>{fail(ec::interrupted, "no answer")};
  auto self = caf::scoped_actor{system_};
  self->request(*there, limit, node_hello{.host = {host}}, make_node(host))
    .receive([&answer](const node_welcome& x) { answer = x; },
             [&answer](const caf::error& x) {
               answer = tl::unexpected(from_caf_error(x));
             });
  return answer;
}

token_place::token_place() {
  auto name =
    (std::filesystem::temp_directory_path() / "forkfleet-tokens-XXXXXX")
      .string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::runtime_error{"no directory for tokens"};
  directory_ = name;
  file_ = make_token(directory_, "owner", access_role::admin).value();
}

token_place::~token_place() {
  auto ignored = std::error_code{};
  std::filesystem::remove_all(directory_, ignored);
}

std::optional<std::string>
token_place::environment(const std::string& name) const {
  return name == "FORKFLEET_TOKEN" ? std::optional{file_} : std::nullopt;
}

client make_client(uint16_t port, const tls_material& tls,
                   std::chrono::milliseconds connect) {
  return client{{.coordinator = {"127.0.0.1", port, {}},
                 .tls = tls,
                 .connect = connect,
                 .limits = open_to_all()}};
}

bool eventually(const std::function<bool()>& is_so) {
  for (auto waited = milliseconds{0}; waited < patience; waited += step) {
    if (is_so())
      return true;
    std::this_thread::sleep_for(step);
  }
  return is_so();
}

std::size_t resident_bytes() {
  auto file = std::ifstream{"/proc/self/statm"};
  auto all = std::size_t{0};
  auto resident = std::size_t{0};
  file >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace forkfleet::test
