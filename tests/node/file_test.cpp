// SPDX-License-Identifier: Apache-2.0
#include "node/storage/file.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "node/storage/file_identity.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
namespace fs = std::filesystem;

namespace {

struct file_fixture {
  test::scratch_directory home;

  std::string at(const std::string& name) const {
    return home.path() + "/" + name;
  }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream{at(name)} << text;
  }
};

} // namespace

TEST_CASE_METHOD(file_fixture, "remove_tree never follows a link",
                 "[storage][file][safety]") {
  fs::create_directories(at("inside/deep/er"));
  fs::create_directories(at("outside"));
  put("outside/kept", "text");
  fs::create_symlink(at("outside"), at("inside/deep/link"));
  fs::create_symlink(at("outside/kept"), at("inside/file"));
  REQUIRE(remove_tree(home.path(), "inside"));
  CHECK_FALSE(path_exists(at("inside")));
  CHECK(path_exists(at("outside/kept")));
  fs::create_symlink(at("outside"), at("inside"));
  REQUIRE(remove_tree(home.path(), "inside"));
  CHECK(path_exists(at("outside/kept")));
}

TEST_CASE_METHOD(file_fixture, "a later file of the name is another one",
                 "[storage][file][safety]") {
  // It gives the number of a removed inode to the next one.
  const auto disk = test::scratch_disk::make(test::disk_kind::ext4, 64 << 20);
  if (!disk)
    return test::skip(disk.error().message);
  const auto place = (*disk)->path() + "/a";
  fs::create_directory(place);
  const auto first = identify(place).value().value();
  std::ofstream{place + "/file"} << "what is in it makes no other of it";
  CHECK(identify(place).value() == first);
  for (int i = 0; i < 20; ++i) {
    fs::remove_all(place);
    fs::create_directory(place);
    CHECK(identify(place).value() != first);
  }
}

TEST_CASE_METHOD(file_fixture, "a name is identified, or absent, or unknown",
                 "[storage][file][safety]") {
  put("file", "");
  fs::create_symlink(at("file"), at("link"));
  CHECK(identify(at("link")).value() != identify(at("file")).value());
  CHECK_FALSE(identify(at("nothing")).value());
  CHECK_FALSE(identify(at("file/below")).value());
  CHECK_FALSE(identify(at(std::string(300, 'x'))));
}

TEST_CASE_METHOD(file_fixture, "remove_tree stays inside its directory",
                 "[storage][file][safety]") {
  fs::create_directories(at("a/b"));
  for (const auto* name : {"", ".", "..", "a/b", "../a", "/"})
    CHECK(remove_tree(at("a"), name).error().code == ec::io_failed);
  CHECK(path_exists(at("a/b")));
  CHECK(remove_tree(at("a"), "nothing"));
}

TEST_CASE_METHOD(file_fixture, "remove_tree removes many and deep",
                 "[storage][file]") {
  fs::create_directories(at("a/1/2/3/4/5/6/7/8/9"));
  for (int i = 0; i < 3000; ++i)
    put("a/" + std::to_string(i), "");
  REQUIRE(remove_tree(home.path(), "a"));
  CHECK_FALSE(path_exists(at("a")));
}

TEST_CASE_METHOD(file_fixture, "remove_tree gives up where it is too deep",
                 "[storage][file]") {
  std::string path = "a";
  for (int i = 0; i < 40; ++i)
    path += "/d";
  fs::create_directories(at(path));
  CHECK(remove_tree(home.path(), "a").error().code == ec::io_failed);
}

TEST_CASE_METHOD(file_fixture, "a read past the end is an error with its place",
                 "[storage][file]") {
  put("short", "abc");
  const auto fd = open_file(at("short"), O_RDONLY);
  uint8_t bytes[4];
  const auto read = read_at(fd->get(), bytes, 0, at("short"));
  REQUIRE_FALSE(read);
  CHECK(read.error().message == at("short") + " ends at byte 3");
}

TEST_CASE_METHOD(file_fixture, "a file is not opened through a link",
                 "[storage][file][safety]") {
  put("real", "abc");
  fs::create_symlink(at("real"), at("link"));
  CHECK_FALSE(open_file(at("link"), O_RDONLY));
  CHECK_FALSE(read_small_file(at("link")));
  CHECK_FALSE(read_small_file(home.path()));
  CHECK(read_small_file(at("real")) == "abc");
  CHECK_FALSE(read_small_file(at("real"), 2));
}

TEST_CASE_METHOD(file_fixture, "a directory's list has a limit",
                 "[storage][file]") {
  put("b", "");
  put("a", "");
  CHECK(list_directory(home.path()) == std::vector<std::string>{"a", "b"});
  CHECK(list_directory(home.path(), 1).error().code == ec::io_failed);
  CHECK(list_directory(at("none")).error().message.find(at("none"))
        != std::string::npos);
}

TEST_CASE_METHOD(file_fixture, "a directory is made private, with its parents",
                 "[storage][file]") {
  REQUIRE(make_directories(at("x/y/z")));
  REQUIRE(make_directories(at("x/y/z")));
  struct stat info {};
  REQUIRE(::stat(at("x/y").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  put("file", "");
  CHECK(make_directory(at("file")).error().code == ec::io_failed);
  CHECK(make_directories(at("file/x")).error().code == ec::io_failed);
}
