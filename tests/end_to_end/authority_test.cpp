// SPDX-License-Identifier: Apache-2.0
// Attacks on who may say what, by real programs against a real fleet: other
// users of the machine, clients with too little a role, certificates that
// expired or were denied, and operation ids that are used again.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/catalogue.hpp"
#include "actors/schema/json.hpp"
#include "tests/support/certified_fleet.hpp"
#include "tests/support/fleet_fixture.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;
constexpr auto not_permitted = 4;

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// A directory that every user can read, for what another one runs.
struct public_place {
  public_place() {
    auto name = std::string{"/tmp/forkfleet-public-XXXXXX"};
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
    fs::permissions(path, fs::perms::all);
  }
  ~public_place() {
    auto ignored = std::error_code{};
    fs::remove_all(path, ignored);
  }
  std::string path;
};

struct shared_machine : fleet_fixture {
  shared_machine()
    : fleet_fixture{{.sandboxes = simulated_sandbox("a", "h1")}} {
    start();
    for (const auto* name : {"forkfleet", "forkfleet-node", "port_abuse"})
      fs::copy_file(program_path(name), place.path + "/" + name);
    auto text = content_of(file());
    const auto at = text.find("state: state");
    text.replace(at, 12, "state: " + directory() + "/state");
    std::ofstream{place.path + "/fleet.yaml"} << text;
  }

  /// Runs one of our programs as a user who owns nothing here.
  int run_as_nobody(std::vector<std::string> words,
                    const std::map<std::string, std::string>& extra = {}) {
    auto all = std::vector<std::string>{"/usr/bin/setpriv",
                                        "--reuid=65534",
                                        "--regid=65534",
                                        "--clear-groups",
                                        "--",
                                        place.path + "/" + words.front()};
    all.insert(all.end(), words.begin() + 1, words.end());
    auto env = extra;
    env.try_emplace("FORKFLEET_TOKEN", "");
    env.try_emplace("HOME", place.path);
    return exit_code_of(
      program_run{all, place.path + "/nobody.log", env}.wait(60s));
  }

  int run_tool(std::vector<std::string> words) {
    words.insert(words.begin(), program_path("forkfleet"));
    return exit_code_of(program_run{words, log_of("tool")}.wait(60s));
  }

  std::string said() const { return content_of(place.path + "/nobody.log"); }
  std::string fleet_copy() const { return place.path + "/fleet.yaml"; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  public_place place;
};

/// A body with what each message must have.
schema::json body_for(const scriptable_message& message) {
  const auto known = schema::json{
    {"operation", "op-attack"}, {"sandbox", "a"},     {"tag", "attack"},
    {"other", "attack"},        {"host", "h1"},       {"file", "x.ffa"},
    {"path", "/etc/hostname"},  {"arguments", {"id"}}};
  auto body = schema::json::object();
  const auto wanted = message.body_schema();
  if (wanted.contains("required"))
    for (const auto& name : wanted.at("required"))
      body[name.get<std::string>()] = known.at(name.get<std::string>());
  return body;
}

/// What each message comes to for a client: whether its role was enough.
std::set<std::string> refused_to(client& tool) {
  auto result = std::set<std::string>{};
  for (const auto& message : catalogue()) {
    const auto answer = message.send(tool, body_for(message), 20s);
    const bool is_refusal = !answer && answer.error().code == ec::not_permitted
                            && has(answer.error().message, "takes the role");
    if (is_refusal)
      result.insert(std::string{message.name});
  }
  return result;
}

const auto changes = std::set<std::string>{
  "annotate_request", "branch_request",  "cancel_request", "compare_request",
  "exec_request",     "export_request",  "file_request",   "flatten_request",
  "import_request",   "promote_request", "remove_request", "restore_request",
  "rollback_request", "stop_request",    "verify_request"};

} // namespace

TEST_CASE_METHOD(shared_machine, "another user gets nothing by the socket",
                 "[end_to_end][authority][safety]") {
  if (::geteuid() != 0)
    return skip("only root becomes another user");
  CHECK(run_as_nobody(
          {"forkfleet", "--fleet", fleet_copy(), "exec", "a", "--", "id"})
        == not_permitted);
  INFO(said());
  CHECK(has(said(), "Permission denied"));
  // Also where the way to the socket is open.
  for (const auto& part : {std::string{}, std::string{"/state"},
                           std::string{"/state/coordinator"}})
    fs::permissions(directory() + part, fs::perms::others_exec,
                    fs::perm_options::add);
  CHECK(run_as_nobody({"forkfleet", "--fleet", fleet_copy(), "ls"})
        == not_permitted);
  fs::permissions(coordinator_data() + "/door", fs::perms{0666});
  CHECK(run_as_nobody({"forkfleet", "--fleet", fleet_copy(), "ls"}) != 0);
  CHECK(eventually([&] {
    const auto log = content_of(log_of("coordinator"));
    return has(log, "connection.refused") && has(log, "uid:65534");
  }));
  // The owner's token and the audit log are not readable either.
  CHECK(run_as_nobody(
          {"forkfleet", "--coordinator", address(), "--token", token(), "ls"})
        != 0);
  CHECK(run_as_nobody({"forkfleet", "audit", "--fleet", fleet_copy()}) != 0);
  CHECK(run_tool({"--fleet", file(), "ls"}) == 0);
  CHECK(run_tool({"--coordinator", address(), "--token", token(), "ls"}) == 0);
}

TEST_CASE_METHOD(shared_machine, "another user gets nothing by the port",
                 "[end_to_end][authority][safety]") {
  if (::geteuid() != 0)
    return skip("only root becomes another user");
  CHECK(run_as_nobody({"forkfleet", "--coordinator", address(), "ls"})
        == not_permitted);
  const auto forged = place.path + "/forged.token";
  std::ofstream{forged} << "forkfleet-token-1 owner admin "
                        << std::string(64, 'a') << "\n";
  fs::permissions(forged, fs::perms{0600});
  REQUIRE(::chown(forged.c_str(), 65534, 65534) == 0);
  CHECK(run_as_nobody({"forkfleet", "--coordinator", address(), "--token",
                       forged, "exec", "a", "--", "id"})
        == not_permitted);
  CHECK(has(said(), "did not prove"));
  // Frames without a proof, and a node that is none.
  CHECK(run_as_nobody({"port_abuse", "127.0.0.1", std::to_string(port())})
        == 1);
  CHECK(has(said(), "still_answers=no"));
  auto text = content_of(fleet_copy());
  const auto own_data = place.path + "/data";
  const auto theirs = data_of("h1");
  for (auto at = text.find(theirs); at != text.npos; at = text.find(theirs))
    text.replace(at, theirs.size(), own_data);
  const auto thief_file = place.path + "/thief.yaml";
  std::ofstream{thief_file} << text << "\nsigning_key: " << place.path
                            << "/data/signing.key\n";
  auto thief =
    program_run{{"/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
                 "--clear-groups", "--", place.path + "/forkfleet-node",
                 "--fleet", thief_file, "--host", "h1"},
                place.path + "/thief.log"};
  CHECK(eventually(
    [&] { return has(content_of(place.path + "/thief.log"), "node.ready"); },
    20s));
  // It dials again and again, and the kernel keeps it from the socket.
  CHECK_FALSE(eventually(
    [&] { return has(content_of(place.path + "/thief.log"), "joined"); }, 3s));
  thief.end(SIGKILL);
  const auto nodes = ask<node_list>(nodes_request{}, 5s);
  REQUIRE(nodes);
  CHECK(nodes->nodes.front().data == data_of("h1"));
  CHECK(nodes->nodes.front().state == node_state::up);
  CAPTURE(content_of(log_of("coordinator")),
          content_of(place.path + "/thief.log"));
  CHECK(
    has(content_of(log_of("coordinator")), "closed the connection before it"));
  CHECK(has(content_of(log_of("coordinator")), "with a token alone"));
  REQUIRE(branch({.operation = {"op-1"}, .sandbox = {"a"}, .tag = {"t"}}));
}

TEST_CASE("a role allows what its table says, for each message",
          "[end_to_end][authority][safety]") {
  auto fleet = certified_fleet{};
  auto viewer =
    client{fleet.reach(fleet.ours.client("eve", access_role::viewer))};
  CHECK(refused_to(viewer) == changes);
  auto operate =
    client{fleet.reach(fleet.ours.client("ann", access_role::operate))};
  CHECK(refused_to(operate) == std::set<std::string>{"import_request"});
  const auto repair =
    operate.ask<fsck_report>(fsck_request{.host = {"h1"}, .repair = true}, 20s);
  REQUIRE_FALSE(repair);
  CHECK(repair.error().code == ec::not_permitted);
  CHECK(has(repair.error().message, "takes the role admin"));
  CHECK(refused_to(*fleet.admin).empty());
  CHECK(eventually([&] { return has(fleet.audit(), "client:eve#"); }));
  CHECK(has(fleet.audit(), R"("event":"refused")"));
}

TEST_CASE("who asked stands in the operation, and only he or an admin ends it",
          "[end_to_end][authority][safety]") {
  auto fleet = certified_fleet{};
  auto ann =
    client{fleet.reach(fleet.ours.client("ann", access_role::operate))};
  auto bob =
    client{fleet.reach(fleet.ours.client("bob", access_role::operate))};
  const auto request = branch_request{
    .operation = {"op-1"}, .sandbox = {"a"}, .tag = {"t"}, .labels = {"a=b"}};
  const auto report = ann.ask<branch_report>(request, 30s);
  REQUIRE(report);
  CHECK(report->subject.starts_with("client:ann#"));
  const auto status = bob.ask<operation_status>(operation_query{{"op-1"}}, 5s);
  REQUIRE(status);
  CHECK(status->report.subject == report->subject);
  const auto stolen = bob.ask<done>(cancel_request{.operation = {"op-1"}}, 5s);
  REQUIRE_FALSE(stolen);
  CHECK(stolen.error().code == ec::not_permitted);
  CHECK(ann.ask<done>(cancel_request{.operation = {"op-1"}}, 5s));
  CHECK(fleet.admin->ask<done>(cancel_request{.operation = {"op-1"}}, 5s));
  // The same id with other labels, also when the coordinator starts anew.
  auto other = request;
  other.labels = {"a=c"};
  const auto conflict_of = [&] {
    const auto answer = ann.ask<branch_report>(other, 30s);
    return answer ? failure{} : answer.error();
  };
  CHECK(conflict_of().code == ec::operation_conflict);
  CHECK(has(conflict_of().message, "labels"));
  CHECK(ann.ask<branch_report>(request, 30s));
  fleet.restart_coordinator();
  CHECK(eventually([&] { return conflict_of().code == ec::operation_conflict; },
                   30s));
  const auto told = ann.ask<operation_status>(operation_query{{"op-1"}}, 5s);
  REQUIRE(told);
  CHECK(told->report.subject == report->subject);
  CHECK(has(fleet.audit(), R"("operation":"op-1")"));
}

TEST_CASE("a denied certificate ends within its session, others go on",
          "[end_to_end][authority][safety]") {
  auto fleet = certified_fleet{};
  const auto files = fleet.ours.client("mal", access_role::operate);
  auto mal = client{fleet.reach(files)};
  REQUIRE(mal.ask<node_list>(nodes_request{}, 5s));
  // One that waits for events is ended in the midst of it.
  auto follower = program_run{
    {program_path("forkfleet"), "events", "--follow", "--coordinator",
     fleet.address(), "--tls-authority", files.authority, "--tls-certificate",
     files.certificate, "--tls-key", files.key},
    fleet.scratch.path() + "/follower.log"};
  const auto by_signal = GENERATE(false, true);
  fleet.write("\"client:mal\"");
  if (by_signal)
    ::kill(fleet.coordinator.front().pid(), SIGHUP);
  CHECK(exit_code_of(follower.wait(60s)) == not_permitted);
  CHECK(has(content_of(fleet.scratch.path() + "/follower.log"), "revoked"));
  const auto after = mal.ask<node_list>(nodes_request{}, 5s);
  REQUIRE_FALSE(after);
  CHECK(after.error().code == ec::not_permitted);
  CHECK(has(fleet.log(), "client:mal#"));
  CHECK(fleet.admin->ask<node_list>(nodes_request{}, 5s));
  fleet.write({});
  CHECK(eventually(
    [&] { return mal.ask<node_list>(nodes_request{}, 5s).has_value(); }));
}

TEST_CASE("a session ends when its certificate expires",
          "[end_to_end][authority][safety]") {
  auto fleet = certified_fleet{};
  const auto files = fleet.ours.expiring_client("brief", 6s);
  auto follower = program_run{
    {program_path("forkfleet"), "events", "--follow", "--coordinator",
     fleet.address(), "--tls-authority", files.authority, "--tls-certificate",
     files.certificate, "--tls-key", files.key},
    fleet.scratch.path() + "/follower.log"};
  CHECK(exit_code_of(follower.wait(60s)) == not_permitted);
  CHECK(has(content_of(fleet.scratch.path() + "/follower.log"), "expired"));
  CHECK(has(fleet.log(), "has expired"));
  CHECK(fleet.admin->ask<node_list>(nodes_request{}, 5s));
}

TEST_CASE("no program starts with a key that others can read",
          "[end_to_end][authority][safety]") {
  auto fleet = certified_fleet{};
  const auto files = fleet.ours.client("ann");
  fs::permissions(files.key, fs::perms{0644});
  const auto log = fleet.scratch.path() + "/open.log";
  CHECK(exit_code_of(program_run{
          {program_path("forkfleet"), "ls", "--coordinator", fleet.address(),
           "--tls-authority", files.authority, "--tls-certificate",
           files.certificate, "--tls-key", files.key},
          log}
                       .wait(60s))
        == 2);
  CHECK(has(content_of(log), "chmod 600"));
  fs::permissions(fleet.served.key, fs::perms{0644});
  fs::permissions(fleet.of_node.key, fs::perms{0640});
  for (auto words :
       {std::vector<std::string>{"forkfleet-coordinator"},
        std::vector<std::string>{"forkfleet-node", "--host", "h1"}}) {
    words.front() = program_path(words.front());
    words.insert(words.end(), {"--fleet", fleet.file()});
    fs::remove(log);
    fleet.coordinator.clear();
    fleet.node.clear();
    CHECK(exit_code_of(program_run{words, log}.wait(60s)) == 1);
    CHECK(has(content_of(log), "chmod 600"));
  }
}
