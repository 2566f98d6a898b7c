// SPDX-License-Identifier: Apache-2.0
#include "actors/link/local_door.hpp"

#include <cstdlib>
#include <filesystem>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "tests/support/link_fixture.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;
constexpr uid_t nobody = 65534;

struct door_fixture {
  door_fixture() {
    auto name = (fs::temp_directory_path() / "forkfleet-door-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
  }
  ~door_fixture() {
    auto ignored = std::error_code{};
    fs::remove_all(directory, ignored);
  }
  std::string path() const { return directory + "/door"; }

  /// What dialling comes to as another user: the code of its error.
  ec dial_as(uid_t user) const {
    const auto child = ::fork();
    if (child == 0) {
      // Without its groups, too: else the directory's would decide.
      if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0
          || ::setresuid(user, user, user) != 0)
        ::_exit(255);
      const auto made = dial_locally(path());
      ::_exit(made ? 0 : static_cast<int>(made.error().code));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return static_cast<ec>(WEXITSTATUS(status));
  }

  std::string directory;
};

} // namespace

TEST_CASE_METHOD(door_fixture, "a door has mode 0600 whatever the umask says",
                 "[actors][local_door][safety]") {
  const auto before = ::umask(0);
  const auto door = listen_locally(path());
  ::umask(before);
  REQUIRE(door);
  struct stat about = {};
  REQUIRE(::stat(path().c_str(), &about) == 0);
  CHECK((about.st_mode & 07777) == 0600);
  CHECK(dial_locally(path()));
  CHECK(listen_locally(path())); // what a killed program left is replaced
}

TEST_CASE_METHOD(door_fixture, "a directory that others write to gets no door",
                 "[actors][local_door][safety]") {
  fs::permissions(directory, fs::perms::all);
  const auto door = listen_locally(path());
  REQUIRE_FALSE(door);
  CHECK(door.error().code == ec::invalid_request);
}

TEST_CASE_METHOD(door_fixture, "a path longer than an address has a door, too",
                 "[actors][local_door]") {
  directory += "/" + std::string(120, 'x');
  fs::create_directory(directory);
  fs::permissions(directory, fs::perms::owner_all);
  const auto door = listen_locally(path());
  REQUIRE(door);
  CHECK(dial_locally(path()));
}

TEST_CASE_METHOD(door_fixture, "another user does not get in",
                 "[actors][local_door][safety]") {
  if (::geteuid() != 0)
    return test::skip("only root becomes another user");
  const auto door = listen_locally(path());
  REQUIRE(door);
  fs::permissions(directory, fs::perms::owner_all | fs::perms::others_exec);
  CHECK(dial_as(nobody) == ec::not_permitted);
  CHECK(dial_as(0) == ec::none);
  // The mode alone does not decide: who comes in by another is looked at.
  test::program coordinator;
  const auto where = link_endpoint{{}, 0, path()};
  REQUIRE(coordinator.link().listen(where, {}, coordinator.make_coordinator()));
  ::chmod(path().c_str(), 0666);
  CHECK(dial_as(nobody) == ec::none);
  CHECK(test::eventually(
    [&] { return coordinator.link().counters().handshakes_refused == 1; }));
  CHECK(test::program{}.connect(where));
}

TEST_CASE_METHOD(door_fixture, "a stranger's door is not taken for ours",
                 "[actors][local_door][safety]") {
  if (::geteuid() != 0)
    return test::skip("only root becomes another user");
  fs::permissions(directory, fs::perms::all);
  int ready[2] = {-1, -1};
  REQUIRE(::pipe(ready) == 0);
  const auto child = ::fork();
  if (child == 0) {
    if (::setresuid(nobody, nobody, nobody) != 0)
      ::_exit(255);
    const auto own = directory + "/own";
    fs::create_directory(own);
    fs::permissions(own, fs::perms::owner_all);
    const auto door = listen_locally(own + "/door");
    fs::rename(own + "/door", path());
    static_cast<void>(::write(ready[1], "r", 1));
    ::pause();
    ::_exit(door ? 0 : 1);
  }
  char told = 0;
  REQUIRE(::read(ready[0], &told, 1) == 1);
  const auto made = dial_locally(path());
  REQUIRE_FALSE(made);
  CHECK(made.error().code == ec::not_permitted);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE_METHOD(door_fixture, "a fleet meets at a door",
                 "[actors][local_door]") {
  test::program coordinator;
  const auto where = link_endpoint{{}, 0, path()};
  REQUIRE(coordinator.link().listen(where, {}, coordinator.make_coordinator()));
  test::program node;
  REQUIRE(node.join(where, {}, "h1"));
  auto tool = client{{.coordinator = where}};
  const auto report =
    tool.ask<branch_report>(branch_request{.sandbox = {"on-h1"}}, 5s);
  REQUIRE(report);
  CHECK(report->host.value == "h1");
}

TEST_CASE("a loopback port without a proof is not opened, and not dialled",
          "[actors][link][safety]") {
  test::program coordinator;
  auto strict = fleet_link{coordinator.system()};
  const auto opened =
    strict.listen({"127.0.0.1", 0, {}}, {}, coordinator.make_coordinator());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ec::invalid_request);
  const auto port = coordinator.serve();
  auto tool =
    client{{.coordinator = {"127.0.0.1", port, {}}, .connect = 500ms}};
  CHECK(tool.connect().error().code == ec::not_permitted);
}
