// SPDX-License-Identifier: Apache-2.0
// A thread that splits the stream of a migration pipe into a capture's files.
// Whatever happens it reads the pipe to its end: QEMU 7.2 hangs its guest for
// ever when a background snapshot loses its reader.
#pragma once

#include <future>
#include <memory>

#include "actors/unique_fd.hpp"
#include "node/qemu/page_writer.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// A pipe's read end as a byte source. Reads block until `until`.
class pipe_source : public byte_source {
public:
  explicit pipe_source(int fd, deadline_point until = deadline_point::max())
    : fd_{fd}, until_{until} {}

  expected<std::size_t> read(std::span<uint8_t> room) override;

private:
  int fd_;
  deadline_point until_;
};

/// The thread, from the capture's side. It may outlive this object: after
/// abandon it drains to nothing and ends by itself.
class stream_task {
public:
  stream_task(unique_fd pipe, std::shared_ptr<gated_sink> sink,
              split_plan plan);

  /// What the stream came to, when the pipe has been read to its end.
  expected<split_result> wait(deadline_point until);

private:
  std::future<expected<split_result>> result_;
};

} // namespace forkfleet::qemu
