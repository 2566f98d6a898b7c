// SPDX-License-Identifier: Apache-2.0
#include "node/storage/archive_reader.hpp"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <limits>

#include "node/storage/file.hpp"
#include "node/storage/zeros.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t piece_bytes = 64u << 10;

/// What one file may take beside its data: headers, padding, and what is
/// read ahead.
constexpr uint64_t header_bytes_max = 512u << 10;

/// What the list of data and holes of so much may take: a line for each 64
/// KiB. The list that we write has one for each MiB at most.
uint64_t map_bytes_max(uint64_t bytes) {
  return bytes / (64u << 10) * 64;
}

/// What may stand behind the end of the last file: tar pads to blocks.
constexpr uint64_t padding_bytes_max = 64u << 10;

la_ssize_t unpack_bytes(archive*, void* self, const void** data) {
  return static_cast<archive_reader*>(self)->unpack(data);
}

} // namespace

expected<std::unique_ptr<archive_reader>>
archive_reader::open(std::string path) {
  std::unique_ptr<archive_reader> result{new archive_reader(std::move(path))};
  auto fd = open_file(result->path_, O_RDONLY | O_NONBLOCK);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  const auto size = file_size(fd->get(), result->path_);
  if (!size)
    return tl::unexpected<failure>(size.error());
  result->fd_ = std::move(*fd);
  result->file_bytes_ = *size;
  if (auto begun = result->begin({}); !begun)
    return tl::unexpected<failure>(begun.error());
  return result;
}

expected<std::unique_ptr<archive_reader>>
archive_reader::of_bytes(std::span<const uint8_t> bytes, std::string name) {
  std::unique_ptr<archive_reader> result{new archive_reader(std::move(name))};
  result->file_bytes_ = bytes.size();
  if (auto begun = result->begin(bytes); !begun)
    return tl::unexpected<failure>(begun.error());
  return result;
}

archive_reader::~archive_reader() {
  if (tar_ != nullptr)
    archive_read_free(tar_);
  if (packed_ != nullptr)
    archive_read_free(packed_);
}

status archive_reader::begin(std::span<const uint8_t> bytes) {
  buffer_.resize(piece_bytes);
  packed_ = archive_read_new();
  tar_ = archive_read_new();
  archive_entry* whole = nullptr;
  if (packed_ == nullptr || tar_ == nullptr
      || archive_read_support_filter_zstd(packed_) != ARCHIVE_OK
      || archive_read_support_format_raw(packed_) != ARCHIVE_OK
      || archive_read_support_format_tar(tar_) != ARCHIVE_OK
      || (fd_ ? archive_read_open_fd(packed_, fd_.get(), piece_bytes)
              : archive_read_open_memory(packed_, bytes.data(), bytes.size()))
           != ARCHIVE_OK
      || archive_read_next_header(packed_, &whole) != ARCHIVE_OK
      || archive_filter_code(packed_, 0) != ARCHIVE_FILTER_ZSTD)
    return corrupt("is not packed by zstd");
  allowed_bytes_ = header_bytes_max;
  if (archive_read_open(tar_, this, nullptr, unpack_bytes, nullptr)
      != ARCHIVE_OK)
    return fail_here();
  return {};
}

long archive_reader::unpack(const void** data) {
  const auto wanted = std::min<uint64_t>(allowed_bytes_, buffer_.size());
  if (wanted == 0) {
    went_too_far_ = true;
    return -1;
  }
  const auto n = archive_read_data(packed_, buffer_.data(), wanted);
  if (n < 0)
    return -1;
  allowed_bytes_ -= static_cast<uint64_t>(n);
  *data = buffer_.data();
  return static_cast<long>(n);
}

status archive_reader::corrupt(const std::string& why) const {
  return fail(ec::snapshot_corrupt, path_ + ": " + why);
}

status archive_reader::fail_here() {
  if (went_too_far_)
    return corrupt("unpacks to more than it says it holds");
  for (auto* const each : {packed_, tar_})
    if (const char* const why = archive_error_string(each); why != nullptr)
      return corrupt(why);
  return corrupt("is no archive of a snapshot");
}

expected<archive_header> archive_reader::next(const std::string& name,
                                              uint64_t bytes_max) {
  const auto found = next_if_any(name, bytes_max);
  if (!found)
    return tl::unexpected<failure>(found.error());
  if (!*found)
    return tl::unexpected<failure>(corrupt("holds no " + name).error());
  return header_;
}

expected<bool> archive_reader::next_if_any(const std::string& name,
                                           uint64_t bytes_max) {
  allowed_bytes_ += header_bytes_max + map_bytes_max(bytes_max);
  archive_entry* entry = nullptr;
  const int found = archive_read_next_header(tar_, &entry);
  is_at_end_ = found == ARCHIVE_EOF;
  if (is_at_end_)
    return false;
  auto good =
    found == ARCHIVE_OK ? check_entry(entry, name, bytes_max) : fail_here();
  if (!good)
    return tl::unexpected<failure>(good.error());
  header_ = {.bytes = static_cast<uint64_t>(archive_entry_size(entry))};
  header_.data_bytes = header_.bytes;
  if (archive_entry_sparse_reset(entry) > 0) {
    header_.data_bytes = 0;
    la_int64_t offset = 0;
    la_int64_t length = 0;
    while (archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK)
      header_.data_bytes += static_cast<uint64_t>(length);
  }
  allowed_bytes_ += std::min(header_.data_bytes, header_.bytes);
  return true;
}

status archive_reader::check_entry(archive_entry* entry,
                                   const std::string& name,
                                   uint64_t bytes_max) const {
  const char* const found = archive_entry_pathname(entry);
  if (found == nullptr || name != found)
    return corrupt("holds '" + std::string{found == nullptr ? "" : found}
                   + "' where " + name + " should stand");
  if (archive_entry_filetype(entry) != AE_IFREG
      || archive_entry_hardlink(entry) != nullptr
      || archive_entry_symlink(entry) != nullptr)
    return corrupt(name + " is not a plain file");
  if (archive_entry_size_is_set(entry) == 0 || archive_entry_size(entry) < 0
      || static_cast<uint64_t>(archive_entry_size(entry)) > bytes_max)
    return corrupt(name + " is larger than " + std::to_string(bytes_max)
                   + " bytes");
  return {};
}

status archive_reader::read(
  const std::function<status(uint64_t, std::span<const uint8_t>)>& take) {
  uint64_t at = 0;
  for (;;) {
    const void* data = nullptr;
    std::size_t bytes = 0;
    la_int64_t offset = 0;
    const int found = archive_read_data_block(tar_, &data, &bytes, &offset);
    if (found == ARCHIVE_EOF)
      return {};
    if (found != ARCHIVE_OK)
      return fail_here();
    const auto begin = static_cast<uint64_t>(offset);
    if (begin < at || begin > header_.bytes || bytes > header_.bytes - begin)
      return corrupt("holds data outside of its files");
    at = begin + bytes;
    if (auto taken = take(begin, {static_cast<const uint8_t*>(data), bytes});
        !taken)
      return taken;
  }
}

expected<std::string> archive_reader::read_text() {
  std::string result(header_.bytes, '\0');
  const auto done = read([&](uint64_t at, std::span<const uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(),
              result.begin() + static_cast<std::ptrdiff_t>(at));
    return status{};
  });
  if (!done)
    return tl::unexpected<failure>(done.error());
  return result;
}

status archive_reader::end() {
  allowed_bytes_ += header_bytes_max;
  archive_entry* entry = nullptr;
  const int found =
    is_at_end_ ? ARCHIVE_EOF : archive_read_next_header(tar_, &entry);
  if (found == ARCHIVE_OK) {
    const char* const name = archive_entry_pathname(entry);
    return corrupt("holds '" + std::string{name == nullptr ? "" : name}
                   + "', which is no part of a snapshot");
  }
  if (found != ARCHIVE_EOF)
    return fail_here();
  for (uint64_t rest = 0; rest <= padding_bytes_max;) {
    const auto n = archive_read_data(packed_, buffer_.data(), buffer_.size());
    if (n < 0)
      return fail_here();
    if (n == 0)
      return {};
    if (!is_zero(std::span{buffer_}.first(static_cast<std::size_t>(n))))
      break;
    rest += static_cast<uint64_t>(n);
  }
  return corrupt("goes on behind its end");
}

} // namespace forkfleet
