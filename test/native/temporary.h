// A file and a file system that go with the object, and a count of open descriptors.
#pragma once

#include <dirent.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

#include "witness.h"

namespace memmap::test {

class TemporaryFile {
 public:
  explicit TemporaryFile(size_t length = 0, char fill = 0,
                         const std::string& directory = "/tmp")
      : path_(directory + "/memmap-XXXXXX") {
    fd_ = ::mkstemp(path_.data());
    const std::string bytes(length, fill);
    if (::pwrite(fd_, bytes.data(), length, 0) != static_cast<ssize_t>(length))
      std::abort();
  }
  ~TemporaryFile() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  int fd() const { return fd_; }
  const char* path() const { return path_.c_str(); }
  uint64_t inode() const { return status().st_ino; }
  size_t size() const { return static_cast<size_t>(status().st_size); }
  std::string content() const {
    std::string bytes(size(), '\0');
    ssize_t got = ::pread(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  // Whether it consists of this byte.
  bool all(char byte) const {
    const std::string bytes = content();
    return all_bytes(bytes.data(), bytes.size(), byte);
  }

 private:
  struct stat status() const {
    struct stat facts = {};
    ::fstat(fd_, &facts);
    return facts;
  }

  std::string path_;
  int fd_ = -1;
};

// A tmpfs of 16 pages; without root there is none.
class SmallDisk {
 public:
  SmallDisk() {
    if (::mkdtemp(path_.data()) == nullptr) return;
    const std::string options = "size=" + std::to_string(16 * ::getpagesize());
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    ::rmdir(path_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/memmap-disk-XXXXXX";
  bool mounted_ = false;
};

inline int open_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  int count = 0;
  while (::readdir(directory) != nullptr) count++;
  ::closedir(directory);
  return count;
}

}  // namespace memmap::test
