from gpae.cli import main

main()
