// SPDX-License-Identifier: Apache-2.0
// What a guest may put in the way of who copies out of it, and holes both
// ways.
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/support/access_fleet.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace fs = std::filesystem;

namespace {

struct stat look(const std::string& path) {
  struct stat known {};
  REQUIRE(::lstat(path.c_str(), &known) == 0);
  return known;
}

struct copy_fleet : access_fleet {
  /// A script in the guest.
  void in_guest(const std::string& script) {
    REQUIRE(run({"exec", "box", "--", "sh", "-ec", script}) == 0);
  }
};

constexpr uint64_t sparse_bytes = 48u << 20;

} // namespace

TEST_CASE_METHOD(copy_fleet, "a guest's powers stay in the guest",
                 "[end_to_end][vm][access][safety]") {
  if (!can_run())
    return;
  start_ready();
  in_guest("mkdir -p /root/out/sub; cd /root/out; mknod c c 1 5; "
           "mknod b b 254 0; mkfifo f; echo x >s; chmod 6755 s; "
           "chown 4321:4321 s; ln -s /etc/passwd away; ln -s ../../etc up; "
           "ln -s sub/in link; echo in >sub/in; ln s hard");
  REQUIRE(run({"cp", "-r", "box:/root/out", here("copy")}) == 0);
  CHECK(err().find("left out") != std::string::npos);
  for (const std::string name : {"c", "b", "f", "away", "up"})
    CHECK_FALSE(fs::exists(fs::symlink_status(here("copy/" + name))));
  const auto file = look(here("copy/s"));
  CHECK((file.st_mode & 07000) == 0);
  CHECK(file.st_uid == ::geteuid());
  CHECK(file.st_gid == ::getegid());
  CHECK(content_of(here("copy/link")) == "in\n");
  CHECK(content_of(here("copy/hard")) == "x\n");

  INFO("one file alone");
  REQUIRE(run({"cp", "box:/root/out/s", here("single")}) == 0);
  CHECK((look(here("single")).st_mode & 07000) == 0);

  INFO("a directory that is called like what lies beside it meanwhile");
  in_guest("mkdir -p /root/tar/new; echo x >/root/tar/archive");
  REQUIRE(run({"cp", "-r", "box:/root/tar", here("tar")}) == 0);
  CHECK(content_of(here("tar/archive")) == "x\n");
  for (const auto& each : fs::directory_iterator{directory()})
    CHECK_FALSE(each.path().filename().string().starts_with(".forkfleet-"));
}

TEST_CASE_METHOD(copy_fleet, "holes are holes on the other side",
                 "[end_to_end][vm][access]") {
  if (!can_run())
    return;
  start_ready();
  fs::create_directory(here("tree"));
  std::ofstream{here("tree/sparse")} << "begin";
  fs::resize_file(here("tree/sparse"), sparse_bytes);
  {
    auto file = std::fstream{here("tree/sparse"),
                             std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(30u << 20);
    file << "middle";
  }
  const auto content = content_of(here("tree/sparse"));
  REQUIRE(run({"cp", "-r", here("tree"), "box:/root/tree"}) == 0);
  REQUIRE(run({"exec", "box", "--", "sh", "-c",
               "stat -c '%s' /root/tree/sparse; "
               "test $(stat -c '%b' /root/tree/sparse) -lt 2048"})
          == 0);
  CHECK(out() == std::to_string(sparse_bytes) + "\n");
  REQUIRE(run({"cp", "box:/root/tree/sparse", here("back")}) == 0);
  CHECK((content_of(here("back")) == content));
  CHECK(look(here("back")).st_blocks * 512 < 1 << 20);
  REQUIRE(run({"cp", "-r", "box:/root/tree", here("all")}) == 0);
  CHECK((content_of(here("all/sparse")) == content));
  // A tar has no holes: whole blocks of zeros become some.
  CHECK(look(here("all/sparse")).st_blocks * 512
        < static_cast<int64_t>(sparse_bytes / 8));
}
