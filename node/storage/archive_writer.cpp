// SPDX-License-Identifier: Apache-2.0
#include "node/storage/archive_writer.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <cerrno>
#include <fcntl.h>

#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

// Never tells libarchive of a failure: it would then free nothing of what it
// has (as of 3.6). The writer remembers the failure and returns it.
la_ssize_t take_bytes(archive*, void* self, const void* data,
                      std::size_t bytes) {
  static_cast<archive_writer*>(self)->take(
    {static_cast<const uint8_t*>(data), bytes});
  return static_cast<la_ssize_t>(bytes);
}

struct member_entry_deleter {
  void operator()(archive_entry* x) const { archive_entry_free(x); }
};

} // namespace

expected<std::unique_ptr<archive_writer>>
archive_writer::make(std::string path) {
  std::unique_ptr<archive_writer> result{new archive_writer(std::move(path))};
  auto fd = open_file(result->path_, O_WRONLY | O_CREAT | O_EXCL);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  result->fd_ = std::move(*fd);
  result->archive_ = archive_write_new();
  auto* const a = result->archive_;
  if (a == nullptr || archive_write_set_format_pax(a) != ARCHIVE_OK
      || archive_write_add_filter_zstd(a) != ARCHIVE_OK
      || archive_write_set_options(a, "zstd:compression-level=1") != ARCHIVE_OK
      || archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK
      || archive_write_open(a, result.get(), nullptr, take_bytes, nullptr)
           != ARCHIVE_OK)
    return tl::unexpected<failure>(result->fail_here("begin").error());
  return result;
}

archive_writer::~archive_writer() {
  if (archive_ == nullptr)
    return;
  // Freeing writes the end, for which nobody waits any more.
  is_over_ = true;
  archive_write_free(archive_);
}

void archive_writer::take(std::span<const uint8_t> bytes) {
  if (error_ || is_over_)
    return;
  const auto done = write_at(fd_.get(), bytes, written_, path_);
  if (done)
    written_ += bytes.size();
  else
    error_ = done.error();
}

status archive_writer::fail_here(const char* what) {
  if (error_)
    return tl::unexpected<failure>(error_);
  const char* const why =
    archive_ == nullptr ? nullptr : archive_error_string(archive_);
  return fail(ec::io_failed, path_ + ": cannot " + what + " the archive: "
                               + (why == nullptr ? "no memory" : why));
}

status archive_writer::begin(const archive_member& member) {
  const std::unique_ptr<archive_entry, member_entry_deleter> entry{
    archive_entry_new()};
  if (!entry)
    return fail_here("extend");
  archive_entry_set_pathname(entry.get(), member.name.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0600);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.bytes));
  archive_entry_set_mtime(entry.get(), member.seconds, 0);
  for (const auto& range : member.data)
    archive_entry_sparse_add_entry(entry.get(),
                                   static_cast<la_int64_t>(range.begin),
                                   static_cast<la_int64_t>(range.bytes()));
  if (archive_write_header(archive_, entry.get()) != ARCHIVE_OK || error_)
    return fail_here("extend");
  return {};
}

status archive_writer::add(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const auto n = archive_write_data(archive_, bytes.data(), bytes.size());
    if (n <= 0 || error_)
      return fail_here("extend");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

status archive_writer::put(const std::string& name, int64_t seconds,
                           std::string_view text) {
  auto done = begin({.name = name, .bytes = text.size(), .seconds = seconds});
  if (done)
    done = add({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  return done;
}

expected<uint64_t> archive_writer::end() {
  status done;
  if (archive_write_close(archive_) != ARCHIVE_OK || error_)
    done = fail_here("end");
  if (done)
    done = sync_data(fd_.get(), path_);
  if (!done)
    return tl::unexpected<failure>(done.error());
  return written_;
}

} // namespace forkfleet
