// SPDX-License-Identifier: Apache-2.0
// What a hostile guest may put into an archive.
#include "actors/shell/archive_unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/actors/shell/temporary_directory.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;
using forkfleet::test::temporary_directory;

namespace fs = std::filesystem;

namespace {

struct member {
  std::string path;
  unsigned type = AE_IFREG;
  std::string content = {}; // or where a link leads
  unsigned mode = 0644;
  bool is_hard_link = false;
};

struct unpack_fixture {
  temporary_directory place;
  mode_t mask = ::umask(022);

  unpack_fixture() { fs::create_directory(inside()); }
  ~unpack_fixture() { ::umask(mask); }

  std::string inside() const { return place.path + "/inside"; }
  std::string archive() const { return place.path + "/tar"; }

  void write(const std::vector<member>& members) const {
    auto* to = archive_write_new();
    archive_write_set_format_gnutar(to);
    REQUIRE(archive_write_open_filename(to, archive().c_str()) == ARCHIVE_OK);
    for (const auto& each : members) {
      auto* entry = archive_entry_new();
      archive_entry_copy_pathname(entry, each.path.c_str());
      archive_entry_set_filetype(entry, each.type);
      archive_entry_set_perm(entry, each.mode);
      archive_entry_set_uid(entry, 4321);
      archive_entry_set_gid(entry, 4321);
      if (each.is_hard_link)
        archive_entry_copy_hardlink(entry, each.content.c_str());
      else if (each.type == AE_IFLNK)
        archive_entry_copy_symlink(entry, each.content.c_str());
      else
        archive_entry_set_size(entry,
                               static_cast<int64_t>(each.content.size()));
      archive_write_header(to, entry);
      if (each.type == AE_IFREG && !each.is_hard_link)
        archive_write_data(to, each.content.data(), each.content.size());
      archive_entry_free(entry);
    }
    archive_write_free(to);
  }
  expected<unpacked> unpack(const unpack_limits& limits = {}) const {
    return shell::unpack(archive(), "dir", inside(), limits,
                         [] { return false; });
  }
  struct stat look(const std::string& path) const {
    struct stat known {};
    REQUIRE(::lstat((inside() + "/" + path).c_str(), &known) == 0);
    return known;
  }
};

std::string content_of(const std::string& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

TEST_CASE_METHOD(unpack_fixture, "files, directories and links are made",
                 "[actors][shell][copy]") {
  write({{"./dir", AE_IFDIR, {}, 0750},
         {"./dir/a", AE_IFREG, "content", 0640},
         {"./dir/sub", AE_IFDIR, {}, 0500},
         {"./dir/sub/b", AE_IFREG, std::string(100'000, 'x'), 0444},
         {"./dir/link", AE_IFLNK, "sub/b"},
         {"./dir/sub/up", AE_IFLNK, "../a"},
         {"./dir/same", AE_IFREG, "./dir/a", 0640, true}});
  const auto what = unpack();
  REQUIRE(what);
  CHECK(what->left_out == 0);
  REQUIRE(give_modes(*what, inside()));
  REQUIRE(give_root_mode(*what, inside() + "/dir"));
  CHECK(content_of(inside() + "/dir/sub/up") == "content");
  CHECK(content_of(inside() + "/dir/link").size() == 100'000);
  CHECK(look("dir/same").st_ino == look("dir/a").st_ino);
  CHECK((look("dir").st_mode & 07777) == 0750);
  CHECK((look("dir/sub").st_mode & 07777) == 0500);
  CHECK((look("dir/sub/b").st_mode & 07777) == 0444);
  CHECK((look("dir/a").st_mode & 07777) == 0640);
}

TEST_CASE_METHOD(unpack_fixture, "nothing of the guest's powers comes along",
                 "[actors][shell][copy][safety]") {
  write({{"./dir/x", AE_IFREG, "x", 06777},
         {"./dir/d", AE_IFDIR, {}, 07777},
         {"./dir/char", AE_IFCHR},
         {"./dir/block", AE_IFBLK},
         {"./dir/fifo", AE_IFIFO}});
  const auto what = unpack();
  REQUIRE(what);
  REQUIRE(give_modes(*what, inside()));
  CHECK(what->left_out == 3);
  CHECK(what->examples.size() == 3);
  for (const std::string name : {"char", "block", "fifo"})
    CHECK_FALSE(fs::exists(fs::symlink_status(inside() + "/dir/" + name)));
  CHECK((look("dir/x").st_mode & 07777) == 0755);
  CHECK((look("dir/d").st_mode & 07777) == 0755);
  CHECK(look("dir/x").st_uid == ::geteuid());
  CHECK(look("dir/x").st_gid == ::getegid());
}

TEST_CASE_METHOD(unpack_fixture, "no name leads out of the directory",
                 "[actors][shell][copy][safety]") {
  const auto bad = GENERATE_COPY(
    member{"/dir/evil"}, member{"../evil"}, member{"dir/../../evil"},
    member{"./dir/../evil"}, member{"evil"}, member{"./other/evil"},
    member{place.path + "/evil"}, member{"dir", AE_IFLNK, place.path},
    member{"dir", AE_IFREG, "no directory"}, member{""},
    member{"dir/hard", AE_IFREG, "../tar", 0644, true},
    member{"dir/hard", AE_IFREG, "/etc/passwd", 0644, true},
    member{"dir/" + std::string(300, 'x')});
  write({{"dir/first", AE_IFREG, "1"}, bad});
  const auto what = unpack();
  INFO(bad.path);
  REQUIRE_FALSE(what);
  CHECK(what.error().code != ec::cancelled);
  CHECK_FALSE(fs::exists(place.path + "/evil"));
  for (const auto& each : fs::directory_iterator{place.path})
    CHECK(
      (each.path().filename() == "inside" || each.path().filename() == "tar"));
}

TEST_CASE_METHOD(unpack_fixture, "no link is followed, and none leads out",
                 "[actors][shell][copy][safety]") {
  fs::create_directory(place.path + "/outside");
  const std::string target =
    GENERATE("../../outside", "/tmp", "../..", "a/../..", "self/../..", "..",
             "a/b/../../../..");
  write({{"dir/self", AE_IFLNK, "."},
         {"dir/out", AE_IFLNK, target},
         {"dir/out2", AE_IFLNK, "self/" + target}});
  const auto what = unpack();
  REQUIRE(what);
  CHECK(what->left_out == 2);
  CHECK_FALSE(fs::exists(fs::symlink_status(inside() + "/dir/out")));
  // A link within is no way either: what lies behind one is refused.
  write({{"dir/sub", AE_IFDIR},
         {"dir/way", AE_IFLNK, "sub"},
         {"dir/way/file", AE_IFREG, "x"}});
  fs::remove_all(inside());
  fs::create_directory(inside());
  CHECK_FALSE(unpack());
  CHECK(fs::is_empty(inside() + "/dir/sub"));
  // Nor is a hard link to a link, which would be deeper or higher than it.
  write({{"dir/a/b/up", AE_IFLNK, "../.."},
         {"dir/up", AE_IFREG, "dir/a/b/up", 0644, true}});
  fs::remove_all(inside());
  fs::create_directory(inside());
  CHECK_FALSE(unpack());
  CHECK_FALSE(fs::exists(fs::symlink_status(inside() + "/dir/up")));
}

TEST_CASE_METHOD(unpack_fixture, "a name that comes twice is refused",
                 "[actors][shell][copy][safety]") {
  const auto second =
    GENERATE(member{"dir/x", AE_IFREG, "2"}, member{"dir/x", AE_IFLNK, "y"},
             member{"dir/x/y", AE_IFREG, "2"});
  write({{"dir/x", AE_IFREG, "1"}, second});
  CHECK_FALSE(unpack());
  CHECK(content_of(inside() + "/dir/x") == "1");
}

TEST_CASE_METHOD(unpack_fixture, "an archive has its limits",
                 "[actors][shell][copy][safety]") {
  auto deep = std::string{"dir"};
  for (std::size_t i = 0; i < path_depth_max; ++i)
    deep += "/d";
  write({{deep, AE_IFREG, "x"}});
  CHECK_FALSE(unpack());
  write({{"dir/a", AE_IFREG, std::string(600, 'x')},
         {"dir/b", AE_IFREG, std::string(600, 'x')}});
  const auto large = unpack({.bytes_max = 1000});
  REQUIRE_FALSE(large);
  CHECK(large.error().code == ec::vmm_refused);
  fs::remove_all(inside());
  fs::create_directory(inside());
  CHECK_FALSE(unpack({.entries_max = 1}));
  fs::remove_all(inside());
  fs::create_directory(inside());
  CHECK(unpack());
}

TEST_CASE_METHOD(unpack_fixture, "what is no archive is refused",
                 "[actors][shell][copy]") {
  std::ofstream{archive()} << "not a tar at all, but a text";
  const auto what = unpack();
  REQUIRE_FALSE(what);
  CHECK(what.error().code == ec::vmm_refused);
}

TEST_CASE_METHOD(unpack_fixture, "zeros become holes",
                 "[actors][shell][copy]") {
  auto content = std::string(8u << 20, '\0');
  content[5u << 20] = 'x';
  write({{"dir/sparse", AE_IFREG, content}});
  REQUIRE(unpack());
  CHECK((content_of(inside() + "/dir/sparse") == content));
  CHECK(look("dir/sparse").st_blocks * 512 < 1 << 20);
}
