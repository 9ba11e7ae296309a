"""What is done to whole databases: swapped, replaced, copied, checked beforehand."""
