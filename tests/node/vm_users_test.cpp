// SPDX-License-Identifier: Apache-2.0
#include "node/limits/vm_users.hpp"

#include <filesystem>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/vm_owner.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;

namespace {

// Cases that run beside each other, and VMs of others, have other users.
const auto first_of_three =
  4'100'000'000u + 3u * static_cast<uint32_t>(::getpid() % 50'000);
const uid_range three{first_of_three, first_of_three + 2};

struct users_fixture {
  test::scratch_directory place = {};

  bool can_run() const {
    const auto why = user_obstacle(three, place.path());
    if (!why.empty())
      test::skip("no users for VMs: " + why);
    return why.empty();
  }

  std::string add(const std::string& name) const {
    const auto path = place.path() + "/" + name;
    std::filesystem::create_directory(path);
    return path;
  }
};

/// A process of that user, until the object goes.
class stranger {
public:
  explicit stranger(uint32_t uid) : pid_{::fork()} {
    if (pid_ != 0)
      return;
    if (::setgid(uid) != 0 || ::setuid(uid) != 0)
      ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  ~stranger() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

private:
  pid_t pid_;
};

} // namespace

TEST_CASE_METHOD(users_fixture, "no two VMs have one user",
                 "[node][vm_users][safety]") {
  if (!can_run())
    return;
  auto users = vm_users{three, place.path(), {}};
  std::set<uint32_t> given;
  for (const auto* name : {"a", "b", "c"}) {
    const auto path = add(name);
    REQUIRE(users.claim(path));
    const auto uid = qemu::vm_uid_of(path);
    CHECK(three.contains(uid));
    CHECK(given.insert(uid).second);
    // It keeps it, also in the node's next life.
    auto again = vm_users{three, place.path(), {}};
    REQUIRE(again.claim(path));
    CHECK(qemu::vm_uid_of(path) == uid);
  }
  const auto none = users.claim(add("d"));
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ec::node_busy);
  CHECK(qemu::vm_uid_of(place.path() + "/d") == 0);
  std::filesystem::remove_all(place.path() + "/b");
  CHECK(users.claim(place.path() + "/d"));
}

TEST_CASE_METHOD(users_fixture, "a user that a process has is given to no VM",
                 "[node][vm_users][safety]") {
  if (!can_run())
    return;
  const stranger first{three.first};
  const stranger last{three.last};
  auto users = vm_users{three, place.path(), {}};
  // Until both have changed their user, they have root's.
  for (int i = 0; i < 1000 && !users.claim(add("a")); ++i)
    ::usleep(1000);
  auto free = std::set<uint32_t>{};
  for (int i = 0; i < 500; ++i) {
    std::filesystem::remove_all(place.path() + "/a");
    REQUIRE(users.claim(add("a")));
    free = {qemu::vm_uid_of(place.path() + "/a")};
    if (free == std::set<uint32_t>{three.first + 1})
      break;
    ::usleep(10'000);
  }
  CHECK(free == std::set<uint32_t>{three.first + 1});
}

TEST_CASE_METHOD(users_fixture,
                 "a VM's user searches its directory and writes nothing there",
                 "[node][vm_users][safety]") {
  if (!can_run())
    return;
  auto users = vm_users{three, place.path(), {}};
  const auto path = add("a");
  REQUIRE(users.claim(path));
  struct stat about = {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  CHECK(about.st_uid == 0);
  CHECK((about.st_mode & 07777) == 0710);
}

TEST_CASE_METHOD(users_fixture, "where there is an obstacle nothing is given",
                 "[node][vm_users]") {
  auto users = vm_users{three, place.path(), "the node does not run as root"};
  const auto path = add("a");
  CHECK(users.claim(path));
  CHECK(qemu::vm_uid_of(path) == 0);
  CHECK(users.describe() == "no own user: the node does not run as root");
  CHECK_FALSE(user_obstacle({}, place.path()).empty());
}
